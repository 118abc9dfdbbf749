"""Resumption tokens that expire, repeat, go round, stay empty (zoo Z001 to Z005)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis.strategies import characters, text

from harvester.errors import ProtocolError, TokenExpired
from harvester.sources import addresses, oai_page
from harvester.sources.oai_watch import Watch
from tests.sources.oai_answers import (
    error,
    in_pages,
    listing,
    record,
    serve,
    token,
)
from tests.sources.outcome import Outcome, harvest
from tests.sources.scripted_server import Reply, Request, Script, ScriptedServer
from tests.sources.zoo import Zoo, first

ZOO = Zoo()


def expires_after(pages: int) -> Script:
    whole = in_pages(40, 10)
    return serve(whole[:pages])


for after in (1, 2, 3):

    @ZOO.fault("Z001", f"the token expires after page {after}", lambda after=after: expires_after(after))
    def _(outcome: Outcome, server: ScriptedServer, after: int = after) -> None:
        assert outcome.identifiers == first(after * 10)
        assert isinstance(outcome.error, TokenExpired)
        assert outcome.verdict == "partial"


@ZOO.fault("Z002", "the same token and page for ever", lambda: serve([listing(record(1), token("t0"))]))
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert outcome.verdict == "partial"
    assert outcome.code == "repeatedPage"
    assert len(server.requests) < 6


def endless_token() -> Script:
    numbers = iter(range(1, 10_000))
    return serve([], ListRecords=lambda request: listing(record(next(numbers)), token("always")))


@ZOO.fault("Z002", "the same token for ever, with new records", endless_token)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.code) == ("partial", "repeatedToken")
    assert len(server.requests) < 10


def cycle() -> Script:
    return serve([listing(record(0), token("t1")), listing(record(1), token("t2")), listing(record(2), token("t1"))])


@ZOO.fault("Z003", "tokens go round in a circle", cycle)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.code) == ("partial", "repeatedPage")
    assert outcome.identifiers == first(3)


def never_ends(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(oai_page.OaiPage, "next_token", property(lambda page: ""))


@ZOO.fault("Z004", "an empty token ends the list", lambda: serve(in_pages(25, 10)), mutant=never_ends)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.proof) == ("complete", "proven")
    assert outcome.identifiers == first(25)
    assert outcome.pages[-1].token == ""


@ZOO.fault("Z004", "no token ends the list", lambda: serve(in_pages(25, 10, size=False)), mutant=never_ends)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.proof) == ("complete", "claimed")
    assert outcome.identifiers == first(25)


def forgets_token_once() -> Script:
    whole = listing(record(0), record(1), token("t1"))
    bare = listing(record(0), record(1))
    last = listing(record(2))

    def answer(request: Request) -> bytes:
        return last if "resumptionToken" in request.arguments else next(answers)

    answers = iter([bare, whole])
    return serve([], ListRecords=answer)


@ZOO.fault("Z004", "a list that nobody counted is asked again where it ends", forgets_token_once)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.proof, outcome.identifiers) == ("complete", "claimed", first(3))


def empty_in_the_middle() -> Script:
    return serve([listing(record(0), token("t1")), listing(token("t2")), listing(record(1))])


def gives_up_on_empty(patch: pytest.MonkeyPatch) -> None:
    def see(watch: Watch, page: oai_page.OaiPage) -> None:
        watch.pages += 1
        if not page.records:
            raise ProtocolError("empty", code="emptyPages")

    patch.setattr(Watch, "see", see)


@ZOO.fault("Z005", "an empty page with a token is followed", empty_in_the_middle, mutant=gives_up_on_empty)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert outcome.verdict == "complete"
    assert outcome.identifiers == first(2)


def empty_for_ever() -> Script:
    numbers = iter(range(1, 10_000))
    return serve([], ListRecords=lambda request: listing(token(f"e{next(numbers)}")))


@ZOO.fault("Z005", "empty pages with new tokens for ever", empty_for_ever)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.code) == ("partial", "emptyPages")


def ends_empty(size: int | None) -> Script:
    pages = [listing(record(0), record(1), token("t1", size=size)), listing(token(""))]
    return serve(pages)


@ZOO.fault("Z005", "the list ends with an empty page", lambda: ends_empty(None))
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.code) == ("partial", "emptyPages")


@ZOO.fault(
    "Z005", "the list ends with an empty page, but the count is met", lambda: ends_empty(2), mutant=gives_up_on_empty
)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.proof) == ("complete", "proven")


# ---- tokens are passed back exactly ----------------------------------------------------------------------------


def wants_exactly(text: str) -> Script:
    def answer(request: Request) -> bytes | Reply:
        if len(request.target) > 4000:
            return Reply(b"", 414)
        given = request.arguments.get("resumptionToken")
        if given is None:
            return listing(record(0), token(text))
        return listing(record(1)) if given == text else error("badResumptionToken", "not what was given")

    return serve([], ListRecords=answer)


def strips(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(oai_page, "text_of", lambda element: "".join(element.itertext()).strip())


def joins_lines(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(oai_page, "text_of", lambda element: " ".join("".join(element.itertext()).split()))


def unquoted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(addresses, "encoded", lambda arguments: "&".join(f"{name}={value}" for name, value in arguments))


ODD_TOKENS = {
    "with &, + and %": ("a&b=c+d%20e%2Fé", unquoted),
    "with a line break": ("first\nsecond", joins_lines),
    "with blanks around": ("  \n  spaced \n ", strips),
    "as JSON in Base64": ("eyJvZmZzZXQiOjEwMH0==/+", unquoted),
    "as XML": ("<a>&amp;</a>", unquoted),
    "of 8 KB": ("x" * 8192, None),
}

for name, (odd, mutant) in ODD_TOKENS.items():

    @ZOO.fault("Z034", f"a token {name} is passed back exactly", lambda odd=odd: wants_exactly(odd), mutant=mutant)
    def _(outcome: Outcome, server: ScriptedServer, odd: str = odd) -> None:
        assert (outcome.verdict, outcome.identifiers) == ("complete", first(2))
        assert server.requests[-1].arguments["resumptionToken"] == odd
        assert (server.requests[-1].method == "POST") == (len(odd) > 2000)


def wants_stripped() -> Script:
    def answer(request: Request) -> bytes | Reply:
        given = request.arguments.get("resumptionToken")
        if given is None:
            return listing(record(0), token("\n    t1\n  "))
        return listing(record(1)) if given == "t1" else error("badResumptionToken")

    return serve([], ListRecords=answer)


@ZOO.fault("Z034", "a pretty-printed token whose blanks do not belong to it", wants_stripped)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.identifiers) == ("complete", first(2))
    assert "learned:token_blanks=stripped" in outcome.flags


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(text(characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=200).filter(str.strip))
def test_any_token_comes_back_as_it_was_given(odd: str) -> None:
    with ScriptedServer(wants_exactly(odd)) as server:
        assert harvest(server.url).identifiers == first(2)


test_the_fault_is_handled = ZOO.handled()
test_the_naive_harvester_fails = ZOO.naive_fails()
test_the_mutant_fails = ZOO.mutant_fails()
