"""The measurements of a probe: a few short lists asked in different ways, and what their answers give away."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal

from harvester.clock import stamp
from harvester.errors import ProtocolError, RecordError
from harvester.formats.xml_safe import parse
from harvester.model import HarvestedRecord, Page, Value, Window
from harvester.sources.environment import Environment
from harvester.sources.oai_identify import Identity
from harvester.sources.oai_page import utc_moment
from harvester.sources.oai_pmh import OaiPmh
from harvester.sources.oai_sheet import local

FromWorks = Literal["yes", "with-until", "loses", "no", "unknown"]

SAMPLE = 200  # records looked at; fewer say nothing about constants
_SAMPLE_PAGES = 5
_CONSTANT = 0.99
_LONG_AGO = "1970-01-01T00:00:00Z"


class Findings(Value, frozen=True):
    """What was measured. `stale` counts sampled records whose own change date (005) is later than their datestamp,
    of `dated` that have both."""

    identity: Identity | None = None
    formats: tuple[str, ...] = ()
    metadata_prefix: str = ""
    granularity: str = ""
    from_works: FromWorks = "unknown"
    paging: Literal["stable", "offset", "unstable"] = "stable"
    page_size: int = 0
    list_size: int | None = None
    charset: str = ""
    constants: tuple[tuple[str, str], ...] = ()
    learned: tuple[tuple[str, str], ...] = ()
    deleted_seen: int = 0
    stale: int = 0
    dated: int = 0
    identifiers: tuple[str, ...] = ()
    undated: bool = False
    token: str = ""
    evidence: tuple[str, ...] = ()

    def software(self, name: str, preset: str, why: str) -> tuple[str, str, str]:
        """The guess, corrected by the identifiers: `oai:slims/` and `KOHA-OAI:` give their software away."""
        if name == "unknown" and any(each.startswith("oai:slims/") for each in self.identifiers):
            endpoint = "slims-oai" if self.undated else "slims-oai2"
            return "SLiMS", endpoint, "software: SLiMS, by its identifiers oai:slims/…"
        if name == "unknown" and any(each.startswith("KOHA-OAI:") for each in self.identifiers):
            return "Koha", "koha", "software: Koha, by its identifiers KOHA-OAI:…"
        return name, preset, why


def measure(harvester: OaiPmh, environment: Environment, identity: Identity | None) -> Findings:
    """Measure the server behind *harvester*.

    Raises:
        SourceError: not even the first page comes.
    """
    pages = list(_sample(harvester.pages(Window())))
    records = [record for page in pages for record in page.records]
    first = next(iter(harvester.identifiers(Window())), Page())
    paging, paging_says = _paging(first, _again(harvester), pages)
    works, from_says = _from(harvester, environment, first)
    stale, dated = _stale(records)
    learned = _learned([*pages, first])
    size = next((page.list_size for page in pages if page.list_size is not None), None)
    charset = "utf-8, doubtful" if any("charset-doubt" in page.flags for page in pages) else "utf-8"
    return Findings(
        identity=identity,
        formats=harvester.formats(),
        metadata_prefix=harvester.prefix(),
        granularity=learned.get("granularity", identity.granularity if identity else ""),
        from_works=works,
        paging=paging,
        page_size=len(pages[0].records) if pages and pages[0].token else 0,
        list_size=size,
        charset=charset,
        constants=constants(records),
        learned=tuple(sorted(learned.items())),
        deleted_seen=sum(record.deleted for record in (*records, *first.records)),
        stale=stale,
        dated=dated,
        identifiers=tuple(record.identifier for record in records[:20]),
        undated=bool(records) and not any(record.datestamp for record in records),
        token=first.token,
        evidence=tuple(line for line in (_size_says(size, pages), paging_says, *from_says, *_flags(pages)) if line),
    )


def constants(records: Iterable[HarvestedRecord]) -> tuple[tuple[str, str], ...]:
    """Fields with one value in nearly every one of at least 200 live records, sorted."""
    counts: Counter[tuple[str, str]] = Counter()
    live = 0
    for record in records:
        if record.deleted:
            continue
        live += 1
        counts.update(set(_leaves(record.payload)))
    if live < SAMPLE:
        return ()
    return tuple(sorted(pair for pair, count in counts.items() if count > live * _CONSTANT))


def _leaves(payload: bytes) -> Iterator[tuple[str, str]]:
    with suppress(RecordError):
        for element in parse(payload).iter():
            if len(element) == 0 and local(element) and element.text and element.text.strip():
                yield _name(element), element.text.strip()[:200]


def _name(element: Any) -> str:
    parent = element.getparent()
    if local(element) == "subfield" and parent is not None:
        return f"{parent.get('tag')}${element.get('code')}"
    return str(element.get("tag") or local(element))


def _sample(pages: Iterator[Page]) -> Iterator[Page]:
    taken = 0
    for number, page in enumerate(pages, 1):
        yield page
        taken += len(page.records)
        if taken >= SAMPLE or number >= _SAMPLE_PAGES:
            return


def _again(harvester: OaiPmh) -> Page:
    return next(iter(harvester.identifiers(Window())), Page())


# ---- paging -----------------------------------------------------------------------------------------------


def _paging(first: Page, again: Page, pages: list[Page]) -> tuple[Literal["stable", "offset", "unstable"], str]:
    names = [record.identifier for record in first.records]
    if names != [record.identifier for record in again.records]:
        return "unstable", "paging: the same first page came twice with different records"
    later = {record.identifier for page in pages[1:] for record in page.records}
    if later & {record.identifier for page in pages[:1] for record in page.records}:
        return "unstable", "paging: a record of the first page came again on a later one"
    if first.token and _counts_in(first.token, len(first.records)):
        return "offset", "paging: the token seems to count records; then a deletion in mid-list skips a live one"
    return "stable", "paging: the same page came twice alike, and pages do not overlap"


def _counts_in(token: str, page_size: int) -> bool:
    """True when *token*, as it stands or in Base64, holds the number of records so far."""
    texts = [token]
    with suppress(binascii.Error, ValueError):
        padded = token + "=" * (-len(token) % 4)
        texts.append(base64.b64decode(padded, altchars=b"-_", validate=True).decode("latin-1"))
    numbers = {number for text in texts for number in re.findall(r"(?<!\d)\d+(?!\d)", text)}
    return bool(numbers & {str(page_size), str(page_size + 1)})


# ---- from --------------------------------------------------------------------------------------------------


def _from(harvester: OaiPmh, environment: Environment, whole: Page) -> tuple[FromWorks, list[str]]:
    now = datetime.fromisoformat(harvester.server_time() or stamp(environment.clock.now()))
    future = stamp(now + timedelta(days=2))
    ahead = _first(harvester, Window(since=future))
    if ahead is None:
        return "no", ["from: dated lists are refused"]
    if ahead.records:
        both = _first(harvester, Window(since=future, until=stamp(now + timedelta(days=3))))
        if both is not None and not both.records:
            return "with-until", ["from: ignored when it stands alone, kept to together with until"]
        return "no", [f"from: ignored: {len(ahead.records)} records are said to come from the future"]
    return _from_past(harvester, whole)


def _from_past(harvester: OaiPmh, whole: Page) -> tuple[FromWorks, list[str]]:
    """`from` long ago must give everything, `from` a date of the list nothing older."""
    past = _first(harvester, Window(since=_LONG_AGO))
    if past is not None and _fewer(past, whole):
        told = f"{_count(past)} of {_count(whole)}"
        return "loses", [f"from: a list from 1970 on holds {told} records; the others are in no dated list"]
    moments = sorted(moment for moment in map(_moment, whole.records) if moment)
    if moments and moments[0][:10] != moments[-1][:10]:
        since = moments[-1]
        late = _first(harvester, Window(since=since))
        older = [record for record in (late.records if late else ()) if _moment(record)[:10] < since[:10]]
        if older:
            return "no", [f"from: {len(older)} records older than {since} came in a list from then on"]
    return "yes", ["from: nothing comes from the future, and everything from long ago"]


def _fewer(part: Page, whole: Page) -> bool:
    if part.list_size is not None and whole.list_size is not None:
        return part.list_size < whole.list_size
    return len(part.records) < len(whole.records)


def _count(page: Page) -> int:
    return len(page.records) if page.list_size is None else page.list_size


def _moment(record: HarvestedRecord) -> str:
    return utc_moment(record.datestamp)


def _first(harvester: OaiPmh, window: Window) -> Page | None:
    """The first page of a dated list of identifiers; None when it is refused."""
    try:
        return next(iter(harvester.identifiers(window)), Page())
    except ProtocolError:
        return None


# ---- the rest ----------------------------------------------------------------------------------------------


def _stale(records: Iterable[HarvestedRecord]) -> tuple[int, int]:
    """How many records were changed (005) more than a day after their datestamp, and how many have both dates."""
    stale = dated = 0
    for record in records:
        changed = re.search(rb'tag="005"[^>]*>\s*(\d{4})(\d\d)(\d\d)', record.payload)
        told = _moment(record)
        if changed is None or not told:
            continue
        with suppress(ValueError):
            own = datetime.fromisoformat(b"-".join(changed.groups()).decode())
            dated += 1
            stale += own > datetime.fromisoformat(told).replace(tzinfo=None) + timedelta(days=1)
    return stale, dated


def _learned(pages: Iterable[Page]) -> dict[str, str]:
    facts = [flag.removeprefix("learned:") for page in pages for flag in page.flags if flag.startswith("learned:")]
    return {name: value for name, _, value in (fact.partition("=") for fact in facts)}


def _size_says(size: int | None, pages: list[Page]) -> str:
    told = f"{size:,} records in the whole list" if size is not None else "the server does not count its list"
    return f"size: {told}, {len(pages[0].records) if pages else 0} on a page"


def _flags(pages: Iterable[Page]) -> list[str]:
    kinds = {
        "repaired": "answers: need repair before they are sound XML",
        "salvaged": "answers: pages came broken",
        "namespace": "answers: not in the namespace of OAI-PMH 2.0",
        "charset-doubt": "charset: declared as single-byte, but the bytes are UTF-8",
    }
    seen = {flag for page in pages for flag in page.flags}
    damaged = sum(len(page.damages) for page in pages)
    lines = [text for flag, text in kinds.items() if flag in seen]
    return lines + ([f"records: {damaged} of the sample cannot be used"] if damaged else [])
