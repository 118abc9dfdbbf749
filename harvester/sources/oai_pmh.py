"""OAI-PMH as a source: lists that are complete when they end by themselves, and partial when they raise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

import msgspec

from harvester.errors import Blocked, ProtocolError, SourceError, SourceUnavailable, TokenExpired
from harvester.model import Damage, HarvestedRecord, Harvester, Page, Source, Window
from harvester.sources import sources
from harvester.sources.environment import Environment
from harvester.sources.fetch import Fetcher
from harvester.sources.local_keys import LocalKeys
from harvester.sources.oai_client import OaiClient, PageResponse
from harvester.sources.oai_identify import Identity, choose_format, read_identity, read_names
from harvester.sources.oai_page import OaiPage
from harvester.sources.oai_watch import Watch

Told = TypeVar("Told", HarvestedRecord, Damage)


@sources.register("oai-pmh")
def open_source(source: Source, environment: Environment) -> Harvester:
    """The harvester of an OAI-PMH endpoint."""
    return OaiPmh(source, environment)


class OaiPmh:
    """Harvests one endpoint. `window.slice` is a setSpec; without it the source's sets follow one another.

    A page that cannot be read wholly is fetched again, then yielded with what was salvaged and the flag `salvaged`;
    the list goes on if its token is readable and raises otherwise. Either way its run is partial.

    Raises, from every list:
        SourceUnavailable: no answer, or broken answers; worth another try later.
        TokenExpired: the server has forgotten the list; the window starts again.
        ProtocolError: refused or nonsense; `code` is the server's own, or repeatedToken, repeatedPage, emptyPages,
            noList, tooManyPages. noRecordsMatch is raised in mid-list only. With `otherRepository` (another server
            answers) and `setGone` (a configured set has disappeared) a person must decide: the run is halted.
    """

    def __init__(self, source: Source, environment: Environment) -> None:
        self._source = source
        self._environment = environment
        self._fetcher = Fetcher(source, environment)
        self._client = OaiClient(source, environment, self._fetcher)
        self._keys = LocalKeys(source.identifier_rule, environment.learned.get("identifier_prefix", ""))
        self._identity: Identity | None = None
        self._identified = False
        self.silence = ""  # why Identify was not answered
        self._formats: tuple[str, ...] | None = None
        self._prefix = ""
        self._server_time = ""
        self._told: set[str] = set()

    def pages(self, window: Window) -> Iterator[Page]:
        """Yield the pages of ListRecords."""
        return self._lists("ListRecords", window)

    def identifiers(self, window: Window) -> Iterator[Page]:
        """Yield the pages of ListIdentifiers: records without payload, for audits and second passes."""
        return self._lists("ListIdentifiers", window)

    def record(self, identifier: str) -> Page:
        """One record by GetRecord; a page without records when the server does not have it."""
        arguments = {"verb": "GetRecord", "identifier": self._keys.sent(identifier), "metadataPrefix": self.prefix()}
        page = self._client.harvest(**arguments).page
        if any(code != "idDoesNotExist" for code, _ in page.errors):
            raise _refusal(page, self._source.code)
        return self._page(page)

    def identity(self) -> Identity | None:
        """The server's Identify, asked once; None when it fails, which does not stop a harvest.

        Raises:
            Blocked: no OAI-PMH server answers.
            ProtocolError: another one than before answers, or the partner has switched OAI-PMH off.
        """
        if not self._identified:
            self._identified = True
            self._identity = self._identify()
            if self._identity is not None:
                self._check_identity(self._identity)
        return self._identity

    def prefix(self) -> str:
        """The metadata prefix to ask for: the configured one, the one of earlier runs, or the best that is offered."""
        if not self._prefix:
            self._prefix = self._source.metadata_prefix or self._environment.learned.get("metadata_prefix", "")
        if not self._prefix:
            self._prefix = choose_format(self.formats(), self._source.preset)
            self._client.learned["metadata_prefix"] = self._prefix
        return self._prefix

    def formats(self) -> tuple[str, ...]:
        """The metadata prefixes that the server offers; empty when it does not say."""
        if self._formats is None:
            self._formats = self._names("ListMetadataFormats", "metadataFormat", "metadataPrefix")
        return self._formats

    def set_specs(self) -> tuple[str, ...]:
        """The sets of the server, from the first pages of ListSets; empty when it has none."""
        return self._names("ListSets", "set", "setSpec")

    def server_time(self) -> str:
        """The server's clock when this harvest began; "" before the first answer."""
        return self._server_time

    # ---- lists ---------------------------------------------------------------------------------------------

    def _lists(self, verb: str, window: Window) -> Iterator[Page]:
        self.identity()
        sets = (window.slice,) if window.slice else self._source.sets or ("",)
        number, token = _place_in(window.token, len(sets))
        for index in range(number, len(sets)):
            for page in self._list(verb, self._arguments(window, sets[index]), token):
                yield _chained(page, index, len(sets))
            token = ""

    def _list(self, verb: str, arguments: Mapping[str, str], token: str) -> Iterator[Page]:
        watch = Watch(self._environment.limits, self._source.code, token)
        for response in self._responses(verb, dict(arguments), token):
            page = response.page
            if not watch.begun and not token and _is_empty_answer(page):
                self._check_set(arguments)
                yield self._page(page, "no-records-match")
                return
            if watch.reconciled() and set(_codes(page)) == {"noRecordsMatch"}:
                yield self._page(page, "no-records-match")
                return
            if page.errors and not page.records:
                raise self._judged(page, arguments, begun=watch.begun or bool(token))
            watch.see(page)
            yield self._page(page)
            if page.errors:
                raise _refusal(page, self._source.code)
            if not page.whole and not page.next_token:
                raise SourceUnavailable("the answer ends too soon or is broken", place=self._source.code)
        watch.end()

    def _responses(self, verb: str, arguments: dict[str, str], token: str) -> Iterator[PageResponse]:
        """The answers of one list; a first request that is refused for its times is made again with days."""
        self._client.arguments = arguments
        ask = getattr(self._client, verb)
        if token:
            yield from ask(resumptionToken=token)
            return
        answers = ask(**arguments)
        first = next(answers)
        days = {name: value[:10] if name in ("from", "until") else value for name, value in arguments.items()}
        if days != arguments and any(code == "badArgument" for code, _ in first.page.errors):
            self._client.arguments = days
            in_days = ask(**days)
            second = next(in_days)
            if not second.page.errors or _is_empty_answer(second.page):
                self._client.learned["granularity"] = "day"
                answers, first = in_days, second
        yield first
        yield from answers

    def _arguments(self, window: Window, set_spec: str) -> dict[str, str]:
        arguments = {"metadataPrefix": self.prefix()}
        learned = self._environment.learned.get("granularity", "")
        granularity = learned or (self._identity.granularity if self._identity else "second")
        for name, moment in (("from", window.since), ("until", window.until)):
            if moment:
                arguments[name] = moment[:10] if granularity == "day" else moment
        if set_spec:
            arguments["set"] = set_spec
        return arguments

    def _page(self, page: OaiPage, *flags: str) -> Page:
        self._server_time = self._server_time or page.response_date
        records, damages = self._kept(page.records), self._kept(page.damages)
        if self._keys.prefix:
            self._client.learned["identifier_prefix"] = self._keys.prefix
        facts = {f"learned:{name}={value}" for name, value in self._client.learned.items()} - self._told
        self._told |= facts
        return Page(
            records=records,
            damages=damages,
            token=page.next_token,
            list_size=page.list_size,
            server_time=self._server_time,
            flags=(*page.flags, *flags, *sorted(facts)),
        )

    def _kept(self, found: tuple[Told, ...]) -> tuple[Told, ...]:
        """*found* under the identifiers that the catalogue keeps."""
        keys = [(one, self._keys.kept(one.identifier)) for one in found]
        return tuple(
            one if key == one.identifier else msgspec.structs.replace(one, identifier=key) for one, key in keys
        )

    # ---- judgement -----------------------------------------------------------------------------------------

    def _judged(self, page: OaiPage, arguments: Mapping[str, str], *, begun: bool) -> SourceError:
        if not begun and "badArgument" in _codes(page):
            self._check_set(arguments, refused=True)
        return _refusal(page, self._source.code)

    def _check_set(self, arguments: Mapping[str, str], *, refused: bool = False) -> None:
        """Stop when a set that should be there is not: an empty answer must not look like deletions (SobekCM#6)."""
        wanted = arguments.get("set", "")
        if not wanted or (not refused and "from" in arguments):
            return
        try:
            known = self.set_specs()
        except SourceError:
            return
        if known and wanted not in known:
            message = f"the set {wanted!r} has disappeared"
            raise ProtocolError(message, place=self._source.code, code="setGone", hint="see sets: of the source")

    def _identify(self) -> Identity | None:
        try:
            response = self._client.harvest(verb="Identify")
        except Blocked:
            raise
        except (SourceUnavailable, ProtocolError) as error:
            self.silence = error.message
            return None
        if any("disabled" in text.lower() for _, text in response.page.errors):
            raise _refusal(response.page, self._source.code)
        found = read_identity(response.xml)
        self._server_time = found.server_time if found else ""
        return found

    def _check_identity(self, identity: Identity) -> None:
        """Stop when another repository answers: a captive portal, a re-used host, a wrong virtual host."""
        known = self._environment.learned.get("repository_name", "")
        name = identity.repository_name
        if known and name != known and f"identity:{name}" not in self._environment.approvals:
            message = f"the repository calls itself {name!r}, it was {known!r}"
            hint = f"approve identity:{name} if it was renamed"
            raise ProtocolError(message, place=self._source.code, code="otherRepository", hint=hint)
        if name and name != known:
            self._client.learned["repository_name"] = name

    def _names(self, verb: str, element: str, name: str) -> tuple[str, ...]:
        try:
            response = self._client.harvest(verb=verb)
        except ProtocolError:
            return ()
        return read_names(response.xml, verb, element, name) if response.xml is not None else ()


def _codes(page: OaiPage) -> list[str]:
    return [code for code, _ in page.errors]


def _is_empty_answer(page: OaiPage) -> bool:
    """True when the answer says that nothing matches: noRecordsMatch, or an empty list without token (SLiMS)."""
    if page.errors:
        return not page.records and set(_codes(page)) == {"noRecordsMatch"}
    return page.has_list and page.whole and not (page.records or page.damages or page.next_token)


def _refusal(page: OaiPage, place: str) -> SourceError:
    """The server's own errors as ours; all of their texts are kept."""
    text = "; ".join(f"{code}: {text}" if text else code for code, text in page.errors)
    codes = _codes(page)
    if "badResumptionToken" in codes:
        return TokenExpired(text, place=place, code="badResumptionToken")
    if "disabled" in text.lower():
        hint = "the partner's choice: ask them to switch OAI-PMH on"
        return ProtocolError(text, place=place, code="disabled", hint=hint)
    telling = [code for code in codes if code != "noRecordsMatch"] or codes
    return ProtocolError(text, place=place, code=telling[0])


def _place_in(token: str, lists: int) -> tuple[int, str]:
    """Which list a stored token belongs to, and the server's token; with one list they are the same."""
    if lists == 1 or not token:
        return 0, token
    number, _, rest = token.partition(":")
    return (int(number), rest) if number.isascii() and number.isdigit() else (0, "")


def _chained(page: Page, index: int, lists: int) -> Page:
    """*page* with a token that also says which list comes next; the size of one of several lists says nothing."""
    if lists == 1:
        return page
    more = page.token or index + 1 < lists
    token = f"{index if page.token else index + 1}:{page.token}" if more else ""
    return msgspec.structs.replace(page, token=token, list_size=None)
