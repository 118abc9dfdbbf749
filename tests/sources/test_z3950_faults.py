"""Section B of the zoo, Z39.50: what targets do wrong, each case lost by the naive loop."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harvester.errors import ProtocolError, Refused, SourceUnavailable
from harvester.model import Window
from harvester.sources import Limits
from harvester.sources.slicing import Slice
from harvester.sources.z3950 import apdu, ber
from harvester.sources.z3950.messages import Count
from tests.servers import catalogue
from tests.sources import naive_target
from tests.sources import scripted_target as answers
from tests.sources.fault_proxy import FaultProxy, Spoil
from tests.sources.outcome import Outcome
from tests.sources.scripted_target import Request, ScriptedTarget, holding
from tests.sources.sliced_outcome import harvest, opened

PAYLOADS = catalogue.records(25)
RECORDS = [answers.record(payload) for payload in PAYLOADS]
IDENTIFIERS = [f"(ID-JaPKB)bib{number:06d}" for number in range(1, 26)]
WHOLE = {"options": {"slicing": [], "page_size": 10}}
TLS = Path(__file__).parent / "tls"
TWICE = Limits(connect_seconds=60, read_seconds=60, total_seconds=120, delay_seconds=0, attempts=2)
SHORT = Limits(connect_seconds=1, read_seconds=1, total_seconds=2, delay_seconds=0, attempts=2)


def ours(script: answers.Script, **given: object) -> tuple[Outcome, ScriptedTarget]:
    with ScriptedTarget(script) as target:
        return harvest("z3950", target.url, **{**WHOLE, **given}), target  # type: ignore[arg-type]


def naive_loses(script: answers.Script, wanted: int = 25) -> None:
    """The naive loop does not bring all of them and say so rightly."""
    with ScriptedTarget(script) as target:
        outcome = naive_target.harvest(target.port)
    assert outcome.error is not None or len(set(outcome.identifiers)) != wanted


def test_a_well_behaved_target_is_had_whole_in_clipped_chunks() -> None:
    outcome, target = ours(holding(RECORDS))
    assert outcome.identifiers == IDENTIFIERS
    assert [page.records[0].payload for page in outcome.pages] == PAYLOADS[::10]
    assert (outcome.verdict, outcome.proof) == ("complete", "proven")
    assert target.presents() == [(1, 10), (11, 10), (21, 5)]
    naive_loses(holding(RECORDS))  # its last chunk reaches past the end: diagnostic 13 and no record


def fewer(request: Request) -> bytes:
    stop = min(request.start - 1 + 7, len(RECORDS))
    return answers.present(*RECORDS[request.start - 1 : stop], status=2)


def test_z039_fewer_records_than_asked_advance_by_what_came() -> None:
    outcome, target = ours(holding(RECORDS, present=fewer))
    assert outcome.identifiers == IDENTIFIERS
    assert [start for start, _ in target.presents()] == [1, 8, 15, 22]
    naive_loses(holding(RECORDS, present=fewer))


@pytest.mark.parametrize(("condition", "kind"), [(114, ProtocolError), (235, ProtocolError), (2, SourceUnavailable)])
def test_z040_a_refused_search_is_an_error_and_not_an_empty_list(condition: int, kind: type[Exception]) -> None:
    script = holding(RECORDS, search=lambda request: answers.search_failed(condition, "what"))
    outcome, _ = ours(script, limits=TWICE)
    assert isinstance(outcome.error, kind)
    assert "what" in str(outcome.error)
    assert outcome.verdict == "partial"
    naive_loses(script)


def capped(request: Request) -> bytes:
    if request.start + request.count - 1 > 20:
        return answers.present_failed(13)
    return answers.present(*RECORDS[request.start - 1 : request.start - 1 + request.count])


def test_z041_a_target_that_goes_no_further_leaves_the_list_partial_with_the_count() -> None:
    outcome, _ = ours(holding(RECORDS, present=capped))
    assert len(outcome.identifiers) == 20
    assert outcome.verdict == "partial"
    assert outcome.code == "partial"
    assert "5 of 25" in str(outcome.error)
    naive_loses(holding(RECORDS, present=capped))


def test_z042_a_list_that_shifts_under_way_is_read_again() -> None:
    asked: list[int] = []

    def shifting(request: Request) -> bytes:
        asked.append(request.start)
        order = RECORDS[5:] + RECORDS[:5] if len(asked) == 2 else RECORDS
        return answers.present(*order[request.start - 1 : request.start - 1 + request.count])

    outcome, _ = ours(holding(RECORDS, present=shifting))
    assert set(outcome.identifiers) == set(IDENTIFIERS)
    assert outcome.verdict == "complete"
    asked.clear()
    naive_loses(holding(RECORDS, present=shifting))


def test_z043_an_expired_result_set_is_searched_again() -> None:
    expired: list[int] = []

    def forgetting(request: Request) -> bytes:
        if request.start == 11 and not expired:
            expired.append(1)
            return answers.present_failed(27)
        return answers.present(*RECORDS[request.start - 1 : request.start - 1 + request.count])

    outcome, target = ours(holding(RECORDS, present=forgetting))
    assert outcome.identifiers == IDENTIFIERS
    assert sum(one.kind == apdu.SEARCH for one in target.requests) == 3  # count, search, search again
    expired.clear()
    naive_loses(holding(RECORDS, present=forgetting))


def test_z044_a_surrogate_diagnostic_costs_only_its_own_record() -> None:
    records = [*RECORDS[:3], answers.surrogate(14, "system error"), *RECORDS[4:]]
    outcome, _ = ours(holding(records))
    assert outcome.identifiers == [*IDENTIFIERS[:3], *IDENTIFIERS[4:]]
    assert [(one.reason, one.place) for one in outcome.damages] == [("surrogate-diagnostic", "p all position 4")]
    assert "bib-1/14 system error" in outcome.damages[0].message
    assert outcome.verdict == "complete"
    naive_loses(holding(records), 24)


def test_z047_a_connection_lost_in_mid_present_is_taken_up_again() -> None:
    lost: list[int] = []

    def losing(request: Request) -> answers.Answer:
        if request.start == 11 and len(lost) < 2:
            lost.append(1)
            return None
        return answers.present(*RECORDS[request.start - 1 : request.start - 1 + request.count])

    outcome, target = ours(holding(RECORDS, present=losing))
    assert outcome.identifiers == IDENTIFIERS
    assert target.connections == 3
    lost.clear()
    naive_loses(holding(RECORDS, present=losing))


@pytest.mark.parametrize(
    "spoil",
    [Spoil(cut=2_000), Spoil(reset=2_000), Spoil(hole=True), Spoil(drip=0.2)],
    ids=["cut", "reset", "hole", "drip"],
)
@pytest.mark.slow
def test_z047_a_spoilt_connection_ends_in_time_as_unavailable(spoil: Spoil) -> None:
    with ScriptedTarget(holding(RECORDS)) as target, FaultProxy(target.port, spoil) as proxy:
        begun = time.monotonic()
        outcome = harvest("z3950", f"z3950://127.0.0.1:{proxy.port}/Default", limits=SHORT, **WHOLE)
        assert isinstance(outcome.error, SourceUnavailable)
        assert time.monotonic() - begun < 60
        assert proxy.connections == 2  # it was tried again
    with ScriptedTarget(holding(RECORDS)) as target, FaultProxy(target.port, spoil) as proxy:
        naive = threading.Thread(target=naive_target.harvest, args=(proxy.port,), daemon=True)
        naive.start()
        naive.join(2)
        assert naive.is_alive() or proxy.connections == 1, "the naive loop hangs, or gives up at once"


def test_z047_a_refused_log_in_is_said_and_not_tried_again() -> None:
    script = holding(RECORDS, init=lambda request: answers.init(accepted=False))
    outcome, target = ours(script, credentials=(("username", "harvest"), ("password", "correct horse")))
    assert isinstance(outcome.error, ProtocolError)
    assert "log-in" in str(outcome.error)
    assert target.connections == 1
    naive_loses(script)


def test_z047_nobody_listens() -> None:
    with socket.socket() as bound:  # taken, but not listening: no other test's server can come to stand there
        bound.bind(("127.0.0.1", 0))
        url = f"z3950://127.0.0.1:{bound.getsockname()[1]}/Default"
        outcome = harvest("z3950", url, limits=SHORT, **WHOLE)
    assert isinstance(outcome.error, SourceUnavailable)


def deep(levels: int) -> bytes:
    return b"\xb7\x80" + b"\xa1\x80" * levels


HOSTILE: dict[str, Callable[[Request], answers.Answer]] = {
    "garbage": lambda request: b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a length of 2 GB": lambda request: b"\xb7\x84\x7f\xff\xff\xff",
    "a length of 16 exabytes": lambda request: b"\xb7\x88" + b"\xff" * 8,
    "a length of 126 bytes": lambda request: b"\xb7\xfe" + b"\xff" * 126,
    "nested without end": lambda request: deep(100_000),
    "an endless stream": lambda request: [b"\xb7\x80", *[b"\x04\x82\xff\xff" + bytes(65_535)] * 2_000],
    "a negative number of hits": lambda request: answers.search(-5),
    "another answer": lambda request: answers.init(),
    "a close": lambda request: ber.constructed(48, ber.encode_integer(211, 2), ber.encode_text(3, "go away")),
    "an empty answer": lambda request: b"\xb7\x00",
    "a tag without end": lambda request: b"\xbf" + b"\xff" * 4_000,
}


@pytest.mark.parametrize("label", HOSTILE)
def test_z048_hostile_answers_end_the_source_and_nothing_else(label: str) -> None:
    limits = Limits(connect_seconds=1, read_seconds=1, total_seconds=3, delay_seconds=0, attempts=1, response_mib=1)
    begun = time.monotonic()
    outcome, _ = ours(holding(RECORDS, search=HOSTILE[label]), limits=limits)
    assert isinstance(outcome.error, (ProtocolError, SourceUnavailable, Refused))
    assert not outcome.identifiers
    assert time.monotonic() - begun < 60
    naive_loses(holding(RECORDS, search=HOSTILE[label]))


def test_z048_more_records_than_asked_are_refused() -> None:
    many = answers.present(*RECORDS * 40)
    outcome, _ = ours(holding(RECORDS, present=lambda request: many))
    assert "more than the 10 records" in str(outcome.error)


def test_z048_a_worker_that_dies_is_the_end_of_the_source_only() -> None:
    with ScriptedTarget(holding(RECORDS, present=lambda request: [5.0, b""])) as target:
        harvester = opened("z3950", target.url, **WHOLE)
        harvester.plan()
        pid = harvester.reader.session.pid
        os.kill(pid, signal.SIGSEGV)
        with pytest.raises(Refused, match="ended the process"):
            list(harvester.pages(Window()))
        harvester.close()


def test_z048_a_dead_worker_with_words_unread_is_still_an_error_of_the_source() -> None:
    """What could not be written any more must not come up again when the pipe is closed."""
    with ScriptedTarget(holding(RECORDS)) as target:
        harvester = opened("z3950", target.url, **WHOLE)
        harvester.plan()
        session = harvester.reader.session
        process = session._process
        os.kill(session.pid, signal.SIGKILL)
        os.waitid(os.P_PID, session.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(Refused):
            process.ask(Count(harvester.reader.query(Slice())))
        harvester.close()
        assert session.pid is None


def test_an_iterator_that_is_dropped_leaves_no_worker() -> None:
    with ScriptedTarget(holding(RECORDS)) as target:
        harvester = opened("z3950", target.url, **WHOLE)
        pages = harvester.pages(Window())
        next(pages)
        pid = harvester.reader.session.pid
        assert Path(f"/proc/{pid}").exists()
        del pages
        assert not Path(f"/proc/{pid}").exists()


def test_z048_an_answer_within_its_length_cannot_grow_in_memory() -> None:
    """Ten megabytes of empty elements: the worker's memory bound holds, and so does ours."""
    body = ber.constructed(28, b"\x30\x00" * 5_000_000)
    answer = ber.constructed(apdu.PRESENT_RESPONSE, ber.encode_integer(24, 1), body)
    limits = Limits(connect_seconds=60, read_seconds=60, total_seconds=120, delay_seconds=0, attempts=1)
    outcome, _ = ours(holding(RECORDS, present=lambda request: answer), limits=limits)
    assert isinstance(outcome.error, (ProtocolError, Refused))


SUTRS = ber.encode_text(ber.GENERAL_STRING, "Bumi manusia / Pramoedya Ananta Toer")
XML = b'<record xmlns="http://www.loc.gov/MARC21/slim"><controlfield tag="001">x1</controlfield></record>'
UNIMARC = catalogue.iso2709(
    [("001", "u1"), ("100", "  \x1fa20240115d2024    m  y0frey50      ba"), ("200", "1 \x1faTitre")]
)


def test_z049_the_syntax_of_a_record_is_read_from_the_record() -> None:
    records = [
        RECORDS[0],
        answers.record(SUTRS, "sutrs", single=True),
        answers.record(XML, "xml"),
        answers.record(UNIMARC, "usmarc"),
        answers.record(b"%PDF-1.4 no record", "usmarc"),
        answers.record(b"", "usmarc"),
    ]
    outcome, _ = ours(holding(records))
    formats = [(record.identifier, record.format) for page in outcome.pages for record in page.records]
    assert formats == [(IDENTIFIERS[0], "iso2709"), ("x1", "marcxml"), ("u1", "unimarc")]
    assert [one.reason for one in outcome.damages] == ["unknown-format", "unknown-format", "empty"]
    assert b"Pramoedya" in outcome.damages[0].payload
    naive_loses(holding(records), 3)


@pytest.mark.parametrize("blank", [answers.record(b""), answers.surrogate(16), answers.surrogate(17, "1048576")])
def test_z050_a_record_that_came_empty_is_asked_for_in_another_element_set(blank: bytes) -> None:
    def too_large(request: Request) -> bytes:
        page = RECORDS[request.start - 1 : request.start - 1 + request.count]
        if request.element_set == "F":
            page = [blank if one is RECORDS[6] else one for one in page]
        return answers.present(*page)

    outcome, _ = ours(holding(RECORDS, present=too_large))
    assert outcome.identifiers == IDENTIFIERS
    assert outcome.record_flags[IDENTIFIERS[6]] == ("element-set:default",)
    naive_loses(holding(RECORDS, present=too_large))


def test_z050_a_record_that_stays_empty_is_quarantined() -> None:
    records = [*RECORDS[:4], answers.record(b""), *RECORDS[5:]]
    outcome, _ = ours(holding(records))
    assert [(one.reason, one.place) for one in outcome.damages] == [("empty", "p all position 5")]
    assert len(outcome.identifiers) == 24
    naive_loses(holding(records), 24)


def test_a_target_that_finds_a_million_and_sends_nothing_is_left_soon() -> None:
    def nothing(request: Request) -> bytes:
        return answers.present()

    script = holding(RECORDS, search=lambda request: answers.search(1_000_000), present=nothing)
    outcome, target = ours(script)
    assert outcome.code == "emptyPages"
    assert len(target.requests) < 500


def test_a_record_without_an_identifier_is_quarantined() -> None:
    nameless = answers.record(catalogue.iso2709([("245", "00\x1faTanpa nomor")]))
    outcome, _ = ours(holding([RECORDS[0], nameless]))
    assert outcome.identifiers == IDENTIFIERS[:1]
    assert [one.reason for one in outcome.damages] == ["no-identifier"]
    assert b"Tanpa nomor" in outcome.damages[0].payload


@pytest.mark.parametrize(
    ("rule", "identifier"), [("001", "bib000001"), ("003", "ID-JaPKB"), ("245$c", "Camus, Albert.")]
)
def test_the_identifier_rule_of_the_source_is_kept(rule: str, identifier: str) -> None:
    payload = catalogue.record(1, "", 15, 1942, 1)
    outcome, _ = ours(holding([answers.record(payload)]), identifier_rule=rule)
    assert outcome.identifiers == [identifier]


def test_result_sets_have_names_only_where_that_was_agreed() -> None:
    _, named = ours(holding(RECORDS))
    _, unnamed = ours(holding(RECORDS, init=lambda request: answers.init(options=frozenset({0, 1}))))
    _, refused = ours(holding(RECORDS), options={**WHOLE["options"], "named_result_sets": False})
    sets = [{one.result_set for one in target.requests if one.result_set} for target in (named, unnamed, refused)]
    assert sets == [{"page"}, {"default"}, {"default"}]


def test_one_result_set_is_searched_again_after_a_count() -> None:
    """Without named result sets a count replaces the set that pages come from."""
    plain = holding(RECORDS, init=lambda request: answers.init(options=frozenset({0, 1})))
    with ScriptedTarget(plain) as target:
        harvester = opened("z3950", target.url, **WHOLE)
        pages = harvester.pages(Window())
        next(pages)
        harvester.reader.count(harvester.plan().slices[0].slice)
        rest = list(pages)
        harvester.close()
    assert sum(len(page.records) for page in rest) == 15
    kinds = [one.kind for one in target.requests]
    assert kinds[:4] == [apdu.INIT, apdu.SEARCH, apdu.SEARCH, apdu.PRESENT]
    assert kinds[4:7] == [apdu.SEARCH, apdu.SEARCH, apdu.PRESENT]


def test_a_harvest_goes_on_behind_the_last_page_that_was_kept() -> None:
    with ScriptedTarget(holding(RECORDS)) as target:
        whole = harvest("z3950", target.url, **WHOLE)
        tokens = [page.token for page in whole.pages]
        rest = harvest("z3950", target.url, Window(token=tokens[0]), **WHOLE)
    assert tokens[-1] == ""
    assert rest.identifiers == IDENTIFIERS[10:]


def test_a_harvest_begins_again_when_the_list_has_another_length_than_before() -> None:
    with ScriptedTarget(holding(RECORDS)) as target:
        token = harvest("z3950", target.url, **WHOLE).pages[0].token
    with ScriptedTarget(holding(RECORDS[2:])) as target:
        rest = harvest("z3950", target.url, Window(token=token), **WHOLE)
    assert rest.identifiers == IDENTIFIERS[2:]


def test_a_private_address_is_refused_unless_the_source_is_internal() -> None:
    with ScriptedTarget(holding(RECORDS)) as target:
        outcome = harvest("z3950", target.url, internal=False, **WHOLE)
        assert isinstance(outcome.error, Refused)
        assert target.connections == 0


def tls_context(certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / certificate)
    return context


def test_tls_is_spoken_with_a_certificate_of_the_partners_own_authority() -> None:
    with ScriptedTarget(holding(RECORDS), tls=tls_context("good.pem")) as target:
        given = {"options": {**WHOLE["options"], "ca": str(TLS / "ca.pem")}}
        assert harvest("z3950", target.url, **given).identifiers == IDENTIFIERS


@pytest.mark.parametrize("certificate", ["good.pem", "expired.pem", "wrong-host.pem", "self-signed.pem"])
def test_tls_without_a_certificate_to_trust_is_refused(certificate: str) -> None:
    with ScriptedTarget(holding(RECORDS), tls=tls_context(certificate)) as target:
        ca = {} if certificate == "good.pem" else {"ca": str(TLS / "ca.pem")}
        outcome = harvest("z3950", target.url, options={**WHOLE["options"], **ca})
    assert outcome.code == "tls"
    assert not outcome.identifiers


def test_secrets_do_not_leave_in_errors() -> None:
    said = "no such user with password correct horse battery"
    script = holding(RECORDS, search=lambda request: answers.search_failed(236, said))
    outcome, _ = ours(script, credentials=(("username", "u"), ("password", "correct horse battery")))
    assert "correct horse" not in str(outcome.error)


def test_the_worker_gets_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INDUK_DATABASE", "postgresql://canary:s3cret@db/induk")
    with ScriptedTarget(holding(RECORDS)) as target:
        harvester = opened("z3950", target.url, **WHOLE)
        harvester.plan()
        pid = harvester.reader.session.pid
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        limits = Path(f"/proc/{pid}/limits").read_text()
        harvester.close()
    assert b"canary" not in environment
    assert str(1 << 30) in limits
