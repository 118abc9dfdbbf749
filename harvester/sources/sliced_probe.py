"""Measures an SRU or Z39.50 server before it is trusted: what it says, which index cuts it, where it cuts by itself."""

from __future__ import annotations

from harvester.clock import stamp
from harvester.errors import ProtocolError
from harvester.model import Page, Source, Window
from harvester.sources import sources
from harvester.sources.environment import Environment
from harvester.sources.probe import SourceProfile
from harvester.sources.sliced import SlicedHarvester
from harvester.sources.slicing import Axis, Plan, Planner, refuses_query
from harvester.sources.sru import SruReader
from harvester.sources.z3950.harvest import Z3950Reader

PROTOCOLS = ("sru", "z3950")
FULL_SWEEP_DAYS = 7


def _opened(source: Source, environment: Environment) -> SlicedHarvester:
    harvester = sources.get(source.protocol, source.code)(source, environment)
    assert isinstance(harvester, SlicedHarvester)
    return harvester


def probe(source: Source, environment: Environment) -> SourceProfile:
    """The measured profile of *source*; mostly counts, and one page of records.

    Raises:
        SourceError: the server does not answer, or refuses every search.
    """
    harvester = _opened(source, environment)
    try:
        said, evidence = _introduction(harvester)
        plans = [(axis, _measured(harvester, axis, evidence)) for axis in harvester.reader.axes]
        found = harvester.plan()
        page = next(iter(harvester.pages(Window())), Page())
    finally:
        harvester.close()
    proven = [axis.kind for axis, plan in plans if plan is not None and plan.proof == "proven"]
    dated = "date" in proven
    cap = min((plan.term_cap for _, plan in plans if plan is not None and plan.term_cap), default=None)
    if cap is not None:
        evidence.append(f"searches are cut without a word at {cap} hits: slices stay below")
    evidence.append(f"{found.sum} of {found.total} records in {len(found.slices)} slices: {found.proof}")
    return SourceProfile(
        url=source.url,
        software=said,
        formats=tuple(sorted({record.format for record in page.records})),
        metadata_prefix=source.metadata_prefix,
        from_works="yes" if dated else "no",
        deletions="none",
        page_size=len(page.records) + len(page.damages),
        list_size=found.total,
        learned=_learned(page),
        strategy="incremental" if dated else "full+hash",
        sweep_days=FULL_SWEEP_DAYS,
        absence=found.proof == "proven",
        evidence=tuple(evidence),
        measured_at=stamp(environment.clock.now()),
    )


def _introduction(harvester: SlicedHarvester) -> tuple[str, list[str]]:
    """What the server calls itself, and what it says that it has."""
    reader = harvester.reader
    harvester.total()
    if isinstance(reader, SruReader):
        told = reader.explain()
        schemas = ", ".join(name or identifier for name, identifier in told.schemas) or "nothing"
        says = [
            f"SRU {reader.version}; explain offers {schemas}; {len(told.indexes)} indexes; asks for {reader.page_size}"
        ]
        return told.title or "unknown", says
    if isinstance(reader, Z3950Reader) and reader.session.opened is not None:
        opened = reader.session.opened
        return opened.implementation or "unknown", [f"Z39.50 options {', '.join(map(str, opened.options))}"]
    return "unknown", []


def _measured(harvester: SlicedHarvester, axis: Axis, evidence: list[str]) -> Plan | None:
    """The plan by *axis* alone, with a line of evidence; None when the server has no such index."""
    planner = Planner(harvester.reader.count, (axis,), harvester.bounds)
    try:
        plan = planner.by_axis(0, harvester.total())
    except ProtocolError as error:
        if not refuses_query(error):
            raise
        evidence.append(f"index {axis.name}: refused ({error.message})")
        return None
    evidence.append(f"index {axis.name}: {plan.sum} of {plan.total} records, {plan.searches} searches: {plan.proof}")
    if isinstance(harvester.reader, SruReader | Z3950Reader):
        evidence += _scanned(harvester.reader, axis)
    return plan


def _scanned(reader: SruReader | Z3950Reader, axis: Axis) -> list[str]:
    try:
        terms = reader.scan(axis.name, "0", 3)
    except ProtocolError:
        return [f"index {axis.name}: no Scan"]
    return [f"index {axis.name}: Scan begins with {', '.join(term for term, _ in terms) or 'nothing'}"]


def _learned(page: Page) -> tuple[tuple[str, str], ...]:
    flags = (flag.removeprefix("learned:").partition("=") for flag in page.flags if flag.startswith("learned:"))
    return tuple((name, value) for name, _, value in flags)
