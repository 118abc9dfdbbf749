"""A source before it is trusted, and again now and then: its measured profile, and a sample of its records."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec

from db import control, work
from harvester import pipeline as journey
from harvester.admitting import admit
from harvester.clock import SystemClock
from harvester.errors import SourceError, UsageError
from harvester.model import Clock, Damage, HarvestedRecord, NormalizedRecord, Source, Value, Window
from harvester.pipeline import HARVEST_LOCK, Pipeline
from harvester.preparing import Recipe, hashed, prepare_batch, to_prepare
from harvester.settings import Settings
from harvester.sources import Environment, sliced_probe, sources
from harvester.sources import probe as oai_probe
from harvester.sources.environment import Limits
from harvester.sources.probe import SourceProfile
from harvester.sources.windows import outlived

SAMPLE = 20
_decode = msgspec.json.Decoder(NormalizedRecord).decode
# What the way of harvesting depends on: a difference in one of these is told.
_TELLING = ("software", "strategy", "from_works", "edits", "deletions", "deleted_record", "paging", "granularity")


PROBES = {"oai-pmh": oai_probe.probe, **dict.fromkeys(sliced_probe.PROTOCOLS, sliced_probe.probe)}


def probe_url(
    settings: Settings,
    url: str,
    *,
    protocol: str = "oai-pmh",
    internal: bool = False,
    clock: Clock | None = None,
    code: str = "probe",
) -> SourceProfile:
    """The measured profile of the server at *url*, which need not be known here.

    Raises:
        SourceError: nothing there answers in that protocol.
    """
    polite = settings.politeness.model_dump()
    bounds = {**settings.limits.model_dump(), **polite}
    limits = Limits(**{name: value for name, value in bounds.items() if name in Limits.__struct_fields__})
    given = Environment(clock=clock or SystemClock(), contact=settings.contact, limits=limits)
    return PROBES[protocol](Source(code, protocol, url, internal=internal), given)


def probe_source(pipeline: Pipeline, code: str) -> SourceProfile:
    """The profile of a known source, measured now; nothing is stored."""
    source, _ = journey.source_of(pipeline.settings, code)
    measure = PROBES.get(source.protocol)
    if measure is None:
        raise UsageError(f"{code} is no server: {source.protocol} has nothing to be measured")
    return measure(source, journey.environment(pipeline, source))


def keep(pipeline: Pipeline, code: str, found: SourceProfile) -> tuple[str, ...]:
    """Store a profile: from now on it says how the source is followed. Returns what is other than before."""
    source_id = pipeline.source_ids[code]
    with pipeline.database.write() as conn:
        before = control.profile(conn, source_id)
        control.store_profile(conn, source_id, found.measured_at or pipeline.now(), msgspec.json.encode(found))
        work.learn(conn, source_id, dict(found.learned))
    return differences(before[1], found) if before else ()


def differences(before: dict[str, Any], found: SourceProfile) -> tuple[str, ...]:
    """What matters for harvesting and is not as it was, as `name: old → new`."""
    blank = SourceProfile(url="")
    pairs = ((name, before.get(name, getattr(blank, name)), getattr(found, name)) for name in _TELLING)
    return tuple(f"{name}: {old} → {new}" for name, old, new in pairs if old != new)


class Recheck(Value, frozen=True):
    """A source measured again; `reason` says why that was not possible."""

    source: str
    run: int
    verdict: str
    changed: tuple[str, ...] = ()
    reason: str = ""


def recheck(pipeline: Pipeline, code: str) -> Recheck:
    """Measure a source again and keep the profile; the run says what changed."""
    source_id = pipeline.source_ids[code]
    with pipeline.database.lock(HARVEST_LOCK + code):
        with pipeline.database.write() as conn:
            run_id = work.open_run(conn, "probe", source_id, pipeline.now())
        changed: tuple[str, ...] = ()
        verdict, reason = "complete", ""
        try:
            changed = keep(pipeline, code, probe_source(pipeline, code))
            reason = "; ".join(changed)
        except SourceError as error:
            verdict, reason = "failed", str(error)
        with pipeline.database.write() as conn:
            body = {"changed": list(changed)}
            work.close_run(conn, run_id, verdict=verdict, reason=reason, proof="", now=pipeline.now(), body=body)
    return Recheck(code, run_id, verdict, changed, reason)


# ---- a sample ------------------------------------------------------------------------------------------


class Sampled(Value, frozen=True):
    """One record as the catalogue would see it, or why it would not; nothing of it is stored."""

    identifier: str
    title: str = ""
    author: str = ""
    publication: str = ""
    material: str = ""
    identifiers: str = ""
    holdings: int = 0
    remarks: tuple[str, ...] = ()
    refused: str = ""


def sample(pipeline: Pipeline, code: str, number: int = SAMPLE) -> tuple[Sampled, ...]:
    """The first *number* records of a source through its mapping, before it goes live or after; files are read again.

    Raises:
        SourceError: it does not answer.
    """
    source, partner = journey.source_of(pipeline.settings, code)
    how = journey.recipe(pipeline, source, partner)
    around = journey.environment(pipeline, source)
    if source.protocol == "files":  # what it learned is which files were read
        around = msgspec.structs.replace(around, learned={})
    found: list[Sampled] = []
    for page in sources.get(source.protocol)(source, around).pages(Window()):
        page = admit(page, source, ()).page
        found += [Sampled(one.identifier, refused=one.message) for one in page.damages]
        found += _sampled([one for one in page.records if not one.deleted], how)
        if len(found) >= number:
            break
    return tuple(found[:number])


def waits(pipeline: Pipeline, code: str) -> bool:
    """Whether the source is not harvested until `partner resume`."""
    partner = pipeline.settings.partner_of(code).code
    with pipeline.database.read() as conn:
        return control.status(conn, partner) != "active"


def _sampled(records: list[HarvestedRecord], how: Recipe) -> Iterator[Sampled]:
    for name, made in prepare_batch(to_prepare(records, {}, hashed(records)), how).items():
        if isinstance(made, Damage):
            yield Sampled(name, refused=made.message)
            continue
        record = _decode(made.normalized)
        years = record.dates
        yield Sampled(
            identifier=name,
            title=record.title.whole,
            author=next((one.name for one in record.contributors), ""),
            publication=", ".join(
                [one.publisher for one in record.publications[:1] if one.publisher]
                + ([str(years.year_from)] if years.year_from else [])
            ),
            material=record.material,
            identifiers=", ".join(f"{one.kind} {one.value}" for one in record.identifiers[:3]),
            holdings=len(record.holdings),
            remarks=tuple(f"{code} {field}: {value}" for code, field, value in made.warnings),
        )


def measured_long_ago(pipeline: Pipeline, code: str, days: int) -> bool:
    """Whether the profile of a source is older than *days* days; False when it was never measured."""
    with pipeline.database.read() as conn:
        found = control.profile(conn, pipeline.source_ids[code])
    return found is not None and outlived(found[0], pipeline.now(), timedelta(days=days))
