"""Measures a server before it is trusted: what it offers, what its dates mean, and how it must be followed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from harvester.errors import ProtocolError, SourceError
from harvester.model import Source, Value
from harvester.sources.environment import Environment
from harvester.sources.oai_pmh import OaiPmh
from harvester.sources.probe_advice import Advice, advise
from harvester.sources.probe_endpoint import candidates, guess_software, siblings
from harvester.sources.probe_measure import Findings, measure


class SourceProfile(Value, frozen=True):
    """How a source behaves, measured, with the evidence for each finding in `evidence`.

    from_works: yes, with-until (`from` alone is ignored), loses (dated lists miss records), no, unknown.
    edits: yes (an edit moves the datestamp), no, unknown.
    deletions: told, hidden (only what was hidden is told), none, unknown.
    paging: stable (as far as seen), offset (a deletion in mid-list can skip a record), unstable.
    `constants` are (field, value) pairs that stand in nearly every record: no evidence for anything. `sweep_days` is
    how often the whole list must be read (0: never); `absence`: what a proven sweep does not show is proposed for
    deletion. `disabled` is the partner's choice and no fault.
    """

    url: str
    software: str = "unknown"
    preset: str = "generic"
    repository_name: str = ""
    formats: tuple[str, ...] = ()
    metadata_prefix: str = ""
    granularity: str = ""
    earliest: str = ""
    from_works: Literal["yes", "with-until", "loses", "no", "unknown"] = "unknown"
    edits: Literal["yes", "no", "unknown"] = "unknown"
    deletions: Literal["told", "hidden", "none", "unknown"] = "unknown"
    deleted_record: str = ""
    paging: Literal["stable", "offset", "unstable"] = "stable"
    page_size: int = 0
    list_size: int | None = None
    charset: str = ""
    constants: tuple[tuple[str, str], ...] = ()
    learned: tuple[tuple[str, str], ...] = ()
    strategy: Literal["incremental", "full+hash", "sweep+absence", "none"] = "none"
    sweep_days: int = 0
    absence: bool = False
    promise: str = ""
    disabled: bool = False
    evidence: tuple[str, ...] = ()
    measured_at: str = ""


def probe(source: Source, environment: Environment) -> SourceProfile:
    """The measured profile of *source*; its URL may be the endpoint or the library's own site. About 15 requests.

    Raises:
        SourceError: nothing at or below the address answers as an OAI-PMH server.
    """
    tried: list[str] = []
    best, others = _endpoint(source, environment, tried)
    harvester = OaiPmh(best, environment)
    try:
        identity = harvester.identity()
    except ProtocolError as error:
        if error.code != "disabled":
            raise
        return _disabled(best, environment, str(error), tried)
    software, preset, why = guess_software(best.url, identity, harvester.formats())
    findings = measure(harvester, environment, identity)
    software, preset, why = findings.software(software, preset, why)
    advice = advise(preset, findings)
    return _profile(best, environment, findings, advice, (software, preset), (*tried, *others, why))


def _endpoint(source: Source, environment: Environment, tried: list[str]) -> tuple[Source, tuple[str, ...]]:
    """The source at the address that answers, the better one where SLiMS has two; what was tried goes to *tried*."""
    refusal: SourceError | None = None
    for url in candidates(source.url):
        one = msgspec.structs.replace(source, url=url)
        state, text, error = _asks(one, environment)
        refusal = refusal or error
        if state == "silent":
            tried.append(f"{url} does not answer as OAI-PMH: {text}")
            continue
        return _preferred(one, state, environment)
    raise refusal or ProtocolError("no OAI-PMH server found", place=source.code, hint=tried[0])


def _preferred(source: Source, state: str, environment: Environment) -> tuple[Source, tuple[str, ...]]:
    """*source*, or its SLiMS sibling where that is the better one."""
    better, worse = siblings(source.url)
    if not better:
        return source, ()
    other = better if source.url != better else worse
    other_state, text, _ = _asks(msgspec.structs.replace(source, url=other), environment)
    states = {source.url: state, other: other_state}
    if states[better] == "open":
        why = "its datestamps stand in the lists, its tokens keep the dates and hidden records are told as deleted"
        return msgspec.structs.replace(source, url=better), (f"SLiMS: oai2.php is preferred to oai.php: {why}",)
    if states[worse] == "open":
        reason = f"SLiMS: oai2.php does not answer ({text or states[better]}), so oai.php is used"
        warning = "oai.php exposes records that are hidden in the catalogue, and doubles the encoding of titles"
        return msgspec.structs.replace(source, url=worse), (reason, warning)
    return source, ()


def _asks(source: Source, environment: Environment) -> tuple[str, str, SourceError | None]:
    """open, disabled or silent; why; and the error that said so."""
    asked = OaiPmh(source, environment)
    try:
        identity = asked.identity()
    except ProtocolError as error:
        return ("disabled" if error.code == "disabled" else "silent"), error.message, error
    except SourceError as error:
        return "silent", error.message, error
    if identity is None:
        return "silent", asked.silence or "no answer to Identify", None
    return "open", "", None


def _disabled(source: Source, environment: Environment, text: str, tried: Iterable[str]) -> SourceProfile:
    evidence = (*tried, f"the server says: {text}", "OAI-PMH is switched off by the partner; ask them to switch it on")
    now = environment.clock.now().isoformat(timespec="seconds")
    return SourceProfile(url=source.url, disabled=True, evidence=evidence, measured_at=now)


def _profile(
    source: Source,
    environment: Environment,
    findings: Findings,
    advice: Advice,
    names: tuple[str, str],
    evidence: tuple[str, ...],
) -> SourceProfile:
    identity = findings.identity
    return SourceProfile(
        url=source.url,
        software=names[0],
        preset=names[1],
        repository_name=identity.repository_name if identity else "",
        formats=findings.formats,
        metadata_prefix=findings.metadata_prefix,
        granularity=findings.granularity,
        earliest=identity.earliest if identity else "",
        from_works=findings.from_works,
        edits=advice.edits,
        deletions=advice.deletions,
        deleted_record=identity.deleted_record if identity else "",
        paging=findings.paging,
        page_size=findings.page_size,
        list_size=findings.list_size,
        charset=findings.charset,
        constants=findings.constants,
        learned=findings.learned,
        strategy=advice.strategy,
        sweep_days=advice.sweep_days,
        absence=advice.absence,
        promise=advice.promise,
        evidence=(*(line for line in evidence if line), *findings.evidence, *advice.evidence),
        measured_at=environment.clock.now().isoformat(timespec="seconds"),
    )
