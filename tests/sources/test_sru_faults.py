"""Section B of the zoo, SRU: what servers do wrong, each case lost by the loop that follows nextRecordPosition."""

from __future__ import annotations

import pytest

from harvester.errors import Blocked, ConfigError, ProtocolError, SourceUnavailable
from harvester.model import Window
from harvester.sources import cql
from tests.sources import sru_answers as answers
from tests.sources.scripted_server import Reply, Request, ScriptedServer
from tests.sources.sliced_outcome import facts_of, harvest, opened
from tests.sources.sru_answers import diagnostic, paged, response
from tests.sources.sru_case import BOMB, ENTRIES, IDENTIFIERS, TWICE, WHOLE, naive_loses, ours, starts


def test_a_server_that_names_no_next_position_is_had_whole() -> None:
    outcome, server = ours(paged(ENTRIES))
    assert outcome.identifiers == IDENTIFIERS
    assert starts(server) == ["1", "11", "21"]
    assert (outcome.verdict, outcome.proof) == ("complete", "proven")
    naive_loses(paged(ENTRIES))


def test_the_best_schema_that_explain_offers_is_asked_for() -> None:
    _, server = ours(paged(ENTRIES))
    assert {one.arguments.get("recordSchema") for one in server.requests if "startRecord" in one.arguments} == {
        "marcxml"
    }
    _, named = ours(paged(ENTRIES), metadata_prefix="mods")
    assert named.requests[-1].arguments["recordSchema"] == "mods"


def test_a_server_without_explain_is_harvested_all_the_same() -> None:
    outcome, server = ours(paged(ENTRIES, explain=response((), None, diagnostic(4, "explain"))))
    assert outcome.identifiers == IDENTIFIERS
    assert "recordSchema" not in server.requests[-1].arguments


def test_z039_fewer_records_than_asked_advance_by_what_came() -> None:
    def seven(request: Request) -> bytes:
        start, _ = answers.position(request)
        return response(ENTRIES[start - 1 : start + 6], 25)

    outcome, server = ours(paged(ENTRIES, page=seven))
    assert outcome.identifiers == IDENTIFIERS
    assert starts(server) == ["1", "8", "15", "22"]
    assert facts_of(outcome)["page-size"] == "7"
    naive_loses(paged(ENTRIES, page=seven))


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        (3, ProtocolError, "login"),
        (10, ProtocolError, "1/10"),
        (16, ProtocolError, "1/16"),
        (66, ProtocolError, "1/66"),
        (2, SourceUnavailable, ""),
    ],
)
def test_z040_a_diagnostic_with_http_200_is_an_error_and_not_an_empty_list(
    number: int, kind: type[Exception], code: str
) -> None:
    def refusing(request: Request) -> bytes:
        return response((), None, diagnostic(number, "marcxml", "no"))

    script = paged(ENTRIES, page=refusing, count=refusing)
    outcome, _ = ours(script, limits=TWICE)
    assert isinstance(outcome.error, kind)
    assert outcome.code == code
    assert outcome.verdict == "partial"
    naive_loses(script)


def test_z040_a_refused_schema_is_an_error_though_the_count_worked() -> None:
    def refusing(request: Request) -> bytes:
        return response((), 25, diagnostic(66, "marcxml"))

    outcome, _ = ours(paged(ENTRIES, page=refusing))
    assert outcome.code == "1/66"
    naive_loses(paged(ENTRIES, page=refusing))


def test_z040_nothing_found_with_a_diagnostic_about_the_position_is_an_empty_list() -> None:
    def empty(request: Request) -> bytes:
        return response((), 0, diagnostic(61))

    outcome, _ = ours(paged([], page=empty, count=empty))
    assert outcome.error is None
    assert [(page.records, page.token) for page in outcome.pages] == [((), "")]


def capped(request: Request) -> bytes:
    start, most = answers.position(request)
    if start > 20:
        return response((), 25, diagnostic(61))
    return response(ENTRIES[start - 1 : min(start - 1 + most, 20)], 25)


def test_z041_a_server_that_goes_no_further_leaves_the_list_partial_with_the_count() -> None:
    outcome, _ = ours(paged(ENTRIES, page=capped))
    assert len(outcome.identifiers) == 20
    assert (outcome.verdict, outcome.code) == ("partial", "partial")
    assert "5 of 25" in str(outcome.error)
    naive_loses(paged(ENTRIES, page=capped))


@pytest.mark.slow
def test_z041_a_server_that_goes_no_further_is_cut_into_slices() -> None:
    """The limit is found on the way: the query is split by date, and everything comes."""

    def dated(request: Request) -> bytes:
        start, most = answers.position(request)
        clause = request.arguments["query"]
        months = [f"20240{number % 3 + 1}05120000" for number in range(1, 26)]
        wanted = clause.split('"')[1].rstrip("*") if "lastModification" in clause else ""
        found = [one for one, month in zip(ENTRIES, months, strict=True) if month.startswith(wanted)]
        if start > 9:
            return response((), len(found), diagnostic(61))
        return response(found[start - 1 : min(start - 1 + most, 9)], len(found))

    script = paged(ENTRIES, page=dated, count=dated)
    outcome, _ = ours(script, options={"slicing": ["date"]})
    assert set(outcome.identifiers) == set(IDENTIFIERS)
    assert facts_of(outcome)["most"] == "9"
    naive_loses(script)


def test_z041_an_empty_page_in_mid_list_is_a_limit_and_not_the_end() -> None:
    def silent(request: Request) -> bytes:
        start, most = answers.position(request)
        return response(ENTRIES[start - 1 : start - 1 + most] if start <= 20 else (), 25)

    outcome, _ = ours(paged(ENTRIES, page=silent))
    assert outcome.verdict == "partial"
    assert len(outcome.identifiers) == 20
    naive_loses(paged(ENTRIES, page=silent))


def test_z042_a_list_that_shifts_under_way_is_read_again() -> None:
    pages: list[int] = []

    def shifting(request: Request) -> bytes:
        pages.append(1)
        start, most = answers.position(request)
        order = ENTRIES[5:] + ENTRIES[:5] if len(pages) == 2 else ENTRIES
        return response(order[start - 1 : start - 1 + most], 25)

    outcome, _ = ours(paged(ENTRIES, page=shifting))
    assert set(outcome.identifiers) == set(IDENTIFIERS)
    assert outcome.verdict == "complete"
    pages.clear()
    naive_loses(paged(ENTRIES, page=shifting))


def test_z042_a_number_of_records_that_changes_begins_the_slice_again() -> None:
    pages: list[int] = []

    def growing(request: Request) -> bytes:
        pages.append(1)
        start, most = answers.position(request)
        shown = ENTRIES[1:] if len(pages) == 1 else ENTRIES
        return response(shown[start - 1 : start - 1 + most], len(shown))

    outcome, _ = ours(paged(ENTRIES, page=growing))
    assert set(outcome.identifiers) == set(IDENTIFIERS)
    pages.clear()
    naive_loses(paged(ENTRIES, page=growing))


def test_z042_the_same_page_for_ever_is_not_a_list() -> None:
    def same(request: Request) -> bytes:
        return response(ENTRIES[:10], 25, also="<zs:nextRecordPosition>11</zs:nextRecordPosition>")

    outcome, _ = ours(paged(ENTRIES, page=same))
    assert outcome.verdict == "partial"
    assert outcome.code == "repeatedPage"
    naive_loses(paged(ENTRIES, page=same))


def test_the_version_that_a_server_names_is_used() -> None:
    def only_new(request: Request) -> bytes:
        if request.arguments.get("version") != "2.0":
            return response((), None, diagnostic(5, "2.0", "Unsupported version"))
        start, most = answers.position(request)
        return response(ENTRIES[start - 1 : start - 1 + most] if most else (), 25, version="2.0")

    outcome, _ = ours(paged(ENTRIES, page=only_new, count=only_new))
    assert outcome.identifiers == IDENTIFIERS
    assert facts_of(outcome)["version"] == "2.0"
    naive_loses(paged(ENTRIES, page=only_new, count=only_new))


def test_z046_no_term_can_leave_its_place_in_the_query() -> None:
    options = {
        "slicing": ["branch"],
        "indexes": {"branch": {"index": "rec.branch", "values": ['a" or cql.allRecords="1']}},
    }
    _, server = ours(paged(ENTRIES[:1]), options=options)
    queries = {one.arguments.get("query", "") for one in server.requests}
    assert 'rec.branch = "a\\" or cql.allRecords=\\"1"' in queries
    joined = f'rec.branch = "{options["indexes"]["branch"]["values"][0]}"'
    assert isinstance(cql.parse(joined).tree, cql.Boolean), "joined as strings the term becomes a query of its own"


@pytest.mark.parametrize("index", ['rec.id = "x" or rec.id', "and", 'a"b'])
def test_z046_an_index_that_is_no_name_is_refused(index: str) -> None:
    with ScriptedServer(paged(ENTRIES)) as server:
        outcome = harvest("sru", server.url, options={"indexes": {"date": index}})
    assert isinstance(outcome.error, ConfigError)


def test_no_token_comes_twice_though_a_slice_is_read_again() -> None:
    pages: list[int] = []

    def shifting(request: Request) -> bytes:
        pages.append(1)
        start, most = answers.position(request)
        order = ENTRIES[5:] + ENTRIES[:5] if len(pages) == 2 else ENTRIES
        return response(order[start - 1 : start - 1 + most], 25)

    outcome, _ = ours(paged(ENTRIES, page=shifting))
    tokens = [page.token for page in outcome.pages]
    assert len(tokens) == len(set(tokens)) > 4


def test_z051_a_page_that_breaks_off_is_fetched_again() -> None:
    cut: list[int] = []

    def cutting(request: Request) -> bytes:
        start, most = answers.position(request)
        whole = response(ENTRIES[start - 1 : start - 1 + most], 25)
        cut.append(start)
        return whole[: len(whole) // 2] if cut.count(11) == 1 and start == 11 else whole

    outcome, _ = ours(paged(ENTRIES, page=cutting))
    assert outcome.identifiers == IDENTIFIERS
    cut.clear()
    naive_loses(paged(ENTRIES, page=cutting))


def test_an_answer_with_a_document_type_is_refused() -> None:
    outcome, _ = ours(lambda request: Reply(BOMB))
    assert isinstance(outcome.error, ProtocolError)
    assert outcome.code == "doctype"


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><html><body>Log in</body></html>", b"<html>Maintenance</html>"])
def test_a_page_for_people_is_blocked_and_not_an_empty_list(page: bytes) -> None:
    outcome, _ = ours(lambda request: Reply(page), limits=TWICE)
    assert isinstance(outcome.error, Blocked)
    naive_loses(lambda request: Reply(page))


def test_another_xml_document_is_no_answer() -> None:
    outcome, _ = ours(lambda request: Reply(b"<rss><channel/></rss>"))
    assert isinstance(outcome.error, ProtocolError)
    assert "rss" in str(outcome.error)


@pytest.mark.slow
def test_results_that_are_too_many_to_count_are_cut_until_they_can_be() -> None:
    """Diagnostic 60 is no reason to give up an index: smaller prefixes are counted."""

    def picky(request: Request) -> bytes:
        start, most = answers.position(request)
        wanted = request.arguments["query"].split('"')[1].rstrip("*")
        found = [one for number, one in enumerate(ENTRIES) if str(2001 + number % 3).startswith(wanted)]
        if "allRecords" in request.arguments["query"] or len(found) > 10:
            return response((), None, diagnostic(60))
        return response(found[start - 1 : start - 1 + most] if most else (), len(found))

    outcome, _ = ours(paged(ENTRIES, page=picky, count=picky), options={"slicing": ["date"]})
    assert set(outcome.identifiers) == set(IDENTIFIERS)
    assert (outcome.verdict, outcome.proof) == ("complete", "claimed")


def test_a_harvest_goes_on_behind_the_last_page_that_was_kept() -> None:
    with ScriptedServer(paged(ENTRIES)) as server:
        whole = harvest("sru", server.url, **WHOLE)
        rest = harvest("sru", server.url, Window(token=whole.pages[0].token), **WHOLE)
    assert rest.identifiers == IDENTIFIERS[10:]


def test_a_token_that_is_none_of_ours_is_refused() -> None:
    outcome, _ = ours(paged(ENTRIES), window=Window(token="oai_dc/100"))
    assert outcome.code == "token"


def test_explain_and_scan_can_be_asked() -> None:
    terms = b'<s:scanResponse xmlns:s="http://www.loc.gov/zing/srw/"><s:terms><s:term><s:value>b1</s:value><s:numberOfRecords>1</s:numberOfRecords></s:term></s:terms></s:scanResponse>'

    def script(request: Request) -> Reply:
        return Reply(terms) if request.arguments.get("operation") == "scan" else paged(ENTRIES)(request)

    with ScriptedServer(script) as server:
        harvester = opened("sru", server.url)
        explained = harvester.reader.explain()
        assert harvester.reader.scan("identifier", "b", 5) == (("b1", 1),)
        harvester.close()
    assert (explained.title, explained.indexes, explained.most_records) == ("Katalog", ("rec.id",), 10)
    assert [name for name, _ in explained.schemas] == ["dc", "marcxml"]


@pytest.mark.parametrize(
    "options",
    [
        {"version": "3.0"},
        {"query_language": "sql"},
        {"page_size": 0},
        {"slicing": "date"},
        {"slicing": ["nothing"]},
        {"query": "a and"},
    ],
    ids=str,
)
def test_an_option_that_cannot_be_read_is_the_operators(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        opened("sru", "http://127.0.0.1:1/", options=options)
