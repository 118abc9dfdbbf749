"""One night: a verdict, what a person must do, what each source brought. Facts in, an exit code and lines out.

Precedence of exit codes: 4 the catalogue contradicts itself · 3 a person must decide · 1 something is not complete ·
0; 75 only when nothing ran, since others were at work.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from harvester.i18n import sentences
from harvester.reports import reports
from harvester.reports.phrases import number, phrase

LONGEST = 40  # lines of a digest
TASKS, SOURCES = 8, 8  # shown in full; the rest is counted
TEXT = 160  # characters of a reason
REMINDERS = (1, 3, 7)  # days after which something held is told anew
RANK = {"info": 0, "warning": 1, "error": 2}


class SourceNight(msgspec.Struct, frozen=True):
    """One source this night. state: good | tolerated | down | halted | held | empty | locked | idle."""

    source: str
    name_id: str
    name_en: str
    state: str
    verdict: str = ""
    reason: str = ""
    run: int = 0
    proof: str = ""
    received: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    quarantined: int = 0
    excluded: int = 0
    before: int | None = None  # received by the last good run of its kind
    bad_nights: int = 0
    tolerate: int = 0
    stale: bool = False
    since: str = ""  # the end of the last complete harvest
    active: int = 0
    held: int = 0  # open quarantine rows

    def name(self, language: str) -> str:
        return (self.name_id if language == "id" else self.name_en) or self.source


class Task(msgspec.Struct, frozen=True):
    """Something that only a person can do. kind: deletions | gate | down | stale | empty | queue | feed | integrity.

    *key* is the same every night that the task stands; *days* is its age; *news* says that it is told as news tonight.
    """

    kind: str
    key: str
    command: str
    link: str = ""
    source: str = ""
    reason: str = ""
    days: int = 0
    count: int = 0
    before: int = 0
    since: str = ""
    news: bool = True


class NightReport(msgspec.Struct, frozen=True):
    """The whole night. *severity*: info | warning | error, what mail.severity is compared with."""

    night: str
    verdict: str
    exit: int
    severity: str
    sources: tuple[SourceNight, ...]
    tasks: tuple[Task, ...]
    totals: Mapping[str, int]
    catalogue: Mapping[str, int]
    matching: str = ""
    outputs: Mapping[str, str] = {}
    renewed: Mapping[str, str] = {}
    recovered: tuple[str, ...] = ()
    constants: Mapping[str, Mapping[str, str]] = {}
    """Source → field → the value that nearly all its records have, so that matching passes it over."""


def judge(
    sources: tuple[SourceNight, ...],
    tasks: tuple[Task, ...],
    *,
    matching: str = "",
    outputs: Mapping[str, str] | None = None,
) -> tuple[str, int]:
    """(verdict, exit code) of a night."""
    kinds = {task.kind for task in tasks}
    if "integrity" in kinds:
        return "broken", 4
    if kinds & {"deletions", "gate", "feed"}:
        return "halted", 3
    states = [one.state for one in sources if one.state != "idle"]
    if states and all(state == "locked" for state in states):
        return "locked", 75
    if any(state in ("down", "empty") for state in states) or matching or any((outputs or {}).values()):
        worked = [state for state in states if state != "locked"]
        return ("failed" if worked and all(state == "down" for state in worked) else "partial"), 1
    return "complete", 0


def severity(tasks: tuple[Task, ...], recovered: tuple[str, ...], exit_code: int) -> str:
    """What the night is worth: news of trouble is an error, what is known already or over a warning."""
    grave = {"deletions", "gate", "down", "empty", "feed", "integrity", "stale"}
    if any(task.news and task.kind in grave for task in tasks):
        return "error"
    return "warning" if tasks or recovered or exit_code else "info"


def subject(report: NightReport, language: str) -> str:
    """The verdict and the number of things to do, or else of what waits without haste."""
    count, waiting = len(report.tasks), report.catalogue.get("waiting", 0)
    none = "waits" if waiting else "no_tasks"
    tasks = phrase({0: none, 1: "one_task"}.get(count, "many_tasks"), language, count=count, waiting=waiting)
    verdict = phrase(report.verdict, language)
    return phrase("subject", language, night=report.night, verdict=verdict, tasks=tasks)


@reports.register("nightly")
def lines(report: NightReport, language: str) -> list[str]:
    """The digest: at most LONGEST lines, the tasks first."""
    worked = [one for one in report.sources if one.state != "idle"]
    good = sum(1 for one in worked if one.state == "good")
    told = [phrase("nothing_harvested", language)]
    if worked:
        told = [phrase("summary", language, good=good, all=len(worked), **report.totals)]
    told.append(phrase("catalogue", language, **report.catalogue))
    told += [phrase("waiting", language, **report.catalogue)] if report.catalogue.get("waiting") else []
    told += [phrase("recovered", language, names=", ".join(report.recovered))] if report.recovered else []
    told += [phrase("matching", language, reason=shortened(report.matching, language))] if report.matching else []
    failing = {name: shortened(reason, language) for name, reason in report.outputs.items() if reason}
    told += [phrase("output", language, name=name, reason=failing[name]) for name in sorted(failing)[:3]]
    for name, reason in sorted(report.renewed.items())[:3]:
        told.append(phrase("renewed", language, name=name, reason=shortened(reason, language)))
    told += _constants(report, language)
    told += _tasks(report, language)
    return [*told, *_sources(report, language, LONGEST - len(told))]


def _constants(report: NightReport, language: str) -> list[str]:
    if not report.constants:
        return []
    names = {one.source: one.name(language) for one in report.sources}
    found = []
    for code, held in sorted(report.constants.items()):
        values = ", ".join(f"{field} {value}" for field, value in sorted(held.items()))
        found.append(f"{names.get(code, code)} ({values})")
    more = f" + {len(found) - 3}" if len(found) > 3 else ""
    return [phrase("constants", language, names="; ".join(found[:3]) + more)]


def _tasks(report: NightReport, language: str) -> list[str]:
    names = {one.source: one.name(language) for one in report.sources}
    found = ["", phrase("to_do", language)] if report.tasks else []
    for place, task in enumerate(report.tasks[:TASKS], 1):
        found.append(f"{place}. {_task(task, names.get(task.source, task.source), language)}")
        found.append(f"   {task.command}" + (f"   {task.link}" if task.link else ""))
    if len(report.tasks) > TASKS:
        found.append(_more(len(report.tasks) - TASKS, report, language))
    return found


def _task(task: Task, name: str, language: str) -> str:
    when = phrase({0: "today", 1: "a_day"}.get(task.days, "days"), language, count=task.days)
    reason, since = shortened(task.reason, language), task.since[:10]
    values = {"name": name, "age": when, "reason": reason, "nights": task.days, "since": since}
    return phrase(f"task_{task.kind}", language, **values, count=task.count, before=task.before)


def _sources(report: NightReport, language: str, room: int) -> list[str]:
    """The sources that are not complete and no task already names."""
    named = {task.source for task in report.tasks if task.source}
    rest = [one for one in report.sources if one.state not in ("good", "idle") and one.source not in named]
    if not rest or room < 3:
        return []
    shown = rest[: min(SOURCES, room - 3)]
    found = ["", phrase("not_complete", language), *(_source(one, language) for one in shown)]
    return found + ([_more(len(rest) - len(shown), report, language)] if len(rest) > len(shown) else [])


def _source(one: SourceNight, language: str) -> str:
    nights = phrase("nights", language, count=one.bad_nights) if one.bad_nights else ""
    tolerated = phrase("tolerated", language, count=one.tolerate) if one.state == "tolerated" else ""
    verdict = phrase(one.verdict or "locked", language)
    parts = [part for part in (verdict, nights, tolerated, shortened(one.reason, language)) if part]
    received = f"{number(one.received, language)}"
    return f"- {one.name(language)}: {', '.join(parts)} ({received})"


def _more(count: int, report: NightReport, language: str) -> str:
    return phrase("more", language, count=count, command=f"induk report nightly --night {report.night}")


def shortened(text: str, language: str) -> str:
    """*text* in *language* where it is a sentence of ours: on one line, printable, no longer than TEXT characters."""
    flat = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    flat = sentences(language)(flat)
    return flat if len(flat) <= TEXT else flat[: TEXT - 1] + "…"
