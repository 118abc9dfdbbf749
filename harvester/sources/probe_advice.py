"""What follows from the measurements: how to keep up with a source, and what can be promised. Pure."""

from __future__ import annotations

from typing import Literal

from harvester.model import Value
from harvester.sources.probe_measure import Findings

SWEEP_DAYS = 7
CHECK_DAYS = 28

# What no probe of one evening can see, read from the source code of the softwares: whether an edit moves the datestamp
# and what becomes of a deleted record.
_EDITS: dict[str, Literal["yes", "no"]] = {
    "slims-oai": "no",
    "slims-oai2": "no",
    "inlislite": "no",
    "koha": "yes",
    "dspace": "yes",
}
_DELETIONS: dict[str, Literal["told", "hidden", "none"]] = {
    "slims-oai": "none",
    "slims-oai2": "hidden",
    "inlislite": "none",
}


class Advice(Value, frozen=True):
    """See SourceProfile for the meaning of the fields."""

    strategy: Literal["incremental", "full+hash", "sweep+absence"] = "incremental"
    edits: Literal["yes", "no", "unknown"] = "unknown"
    deletions: Literal["told", "hidden", "none", "unknown"] = "unknown"
    sweep_days: int = 0
    absence: bool = False
    promise: str = ""
    evidence: tuple[str, ...] = ()


def advise(preset: str, findings: Findings) -> Advice:
    """The strategy for a source with these *findings*."""
    edits, edits_say = _edits(preset, findings)
    deletions, deletions_say = _deletions(preset, findings)
    incremental = findings.from_works == "yes" and edits != "no"
    told = deletions == "told"
    if incremental:
        sweep = 0 if told and edits == "yes" else CHECK_DAYS
        strategy: Literal["incremental", "full+hash", "sweep+absence"] = "incremental"
    else:
        sweep = SWEEP_DAYS
        strategy = "full+hash" if told else "sweep+absence"
    says = (edits_say, deletions_say, _explain(strategy, findings, edits, told))
    return Advice(strategy, edits, deletions, sweep, not told, _promise(incremental, edits, told, sweep), says)


def _edits(preset: str, findings: Findings) -> tuple[Literal["yes", "no", "unknown"], str]:
    if findings.stale:
        text = f"edits: {findings.stale} of {findings.dated} records were changed after their datestamp"
        return "no", f"{text}; a dated list does not show such edits"
    if preset in _EDITS:
        moves = "moves" if _EDITS[preset] == "yes" else "does not move"
        return _EDITS[preset], f"edits: an edit {moves} the datestamp, by the source code of this software"
    if findings.undated:
        return "no", "edits: records carry no datestamp"
    if findings.dated >= 20:
        return "yes", f"edits: none of {findings.dated} records was changed after its datestamp"
    return "unknown", "edits: nothing shows whether an edit moves the datestamp; a sweep now and then will tell"


def _deletions(preset: str, findings: Findings) -> tuple[Literal["told", "hidden", "none", "unknown"], str]:
    declared = findings.identity.deleted_record if findings.identity else ""
    claim = f"the server declares {declared!r}"
    if preset in _DELETIONS:
        found = _DELETIONS[preset]
        what = "only hidden records are told as deleted" if found == "hidden" else "none are told"
        return found, f"deletions: {what}, by the source code of this software, though {claim}"
    if declared == "no":
        return "none", f"deletions: {claim}"
    if findings.deleted_seen:
        return "told", f"deletions: {claim}, and {findings.deleted_seen} deleted records were seen"
    if declared == "persistent":
        return "told", f"deletions: {claim}; none was seen yet"
    return "unknown", f"deletions: {claim}, and none was seen"


def _explain(strategy: str, findings: Findings, edits: str, told: bool) -> str:
    reasons = []
    if findings.from_works != "yes":
        reasons.append(f"`from` works: {findings.from_works}")
    if edits == "no":
        reasons.append("edits do not move datestamps")
    if not told:
        reasons.append("deletions are not surely told")
    if strategy == "incremental":
        checked = "and edits move it" if edits == "yes" else "and a sweep now and then shows missed edits"
        return f"strategy: incremental, because `from` selects by the datestamp {checked}"
    return f"strategy: {strategy}, because {'; '.join(reasons)}"


def _promise(incremental: bool, edits: str, told: bool, sweep: int) -> str:
    """What the partner may expect, in days, with nightly runs."""
    if not incremental:
        return f"new records, edits and deletions seen within {sweep} days"
    edited = "edits seen within 1 day" if edits == "yes" else f"edits seen within {sweep} days at the latest"
    gone = "deletions seen within 1 day" if told else f"deletions seen within {sweep} days"
    return f"new records seen within 1 day, {edited}, {gone}"
