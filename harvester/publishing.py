"""changes ──▶ an output: opens what induk.yaml names, keeps its position, verifies and repairs.

An output reads one snapshot of the catalogue; its position is stored after every step that is in. Whoever asks the
catalogue on behalf of people outside reads it through `reading`, too: released documents only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection

from db import changes, work
from db.catalogue import RecordState
from db.feed_reader import FeedReader
from db.prepared import digest
from harvester import faultpoint
from harvester.drawing import member
from harvester.errors import ConfigError, Halted, OutputError
from harvester.merge import survivorship
from harvester.merge.marc import Wording, to_marc
from harvester.model import Catalogue, MarcRecord, Member, NormalizedRecord, Partner, UnionRecord, Value
from harvester.outputs import Output, outputs
from harvester.outputs.batch import Drift, Marc, Opening, OutputState
from harvester.outputs.deliver import deliver
from harvester.outputs.privacy import released
from harvester.outputs.vufind_config import vufind_config
from harvester.pipeline import Pipeline
from harvester.registry import suggestion
from harvester.secret import Secret

PUBLISH_LOCK = "publish:"
AGENCY = "INDUK"  # 003: whose control number stands in 001


class Published(Value, frozen=True):
    """What a call did: the positions before and after, what the far side refuses, what a comparison found."""

    output: str
    before: int
    state: OutputState
    snapshot: bool = False
    lost: str = ""  # why everything was sent anew: what was no longer at the far side
    drift: Drift | None = None


class Stored(Value, frozen=True):
    """The body of an output's cursor: its state and, for each partner, a hash of what its documents depend on."""

    state: OutputState = OutputState()
    partners: Mapping[str, str] = {}


@contextmanager
def reading(pipeline: Pipeline) -> Iterator[Catalogue]:
    """The released catalogue, from one snapshot of the database that lasts as long as the context."""
    with snapshot(pipeline) as (_, catalogue):
        yield catalogue


@contextmanager
def snapshot(pipeline: Pipeline) -> Iterator[tuple[Connection, Catalogue]]:
    """The same, with the connection behind it, for questions about one snapshot that the catalogue does not answer."""

    def make(state: RecordState, record: NormalizedRecord) -> Member:
        return member(known, state, record, pipeline.merge)

    def merge(members: Any) -> UnionRecord:
        return survivorship.merge(members, pipeline.merge)

    with pipeline.database.read() as conn:
        # as enrolled last, not as configured when this process began: a policy may have been tightened since
        partners = work.partners(conn)
        known = {one.code: one for one in partners}
        yield conn, released(FeedReader(conn, make, merge, partners))


def write_marc(union: UnionRecord, cluster: str, marc: Marc) -> MarcRecord:
    """The union record as MARC 21."""
    return to_marc(union, cluster, Wording(marc.institutions, marc.changed, AGENCY, marc.linked))


def publish(
    pipeline: Pipeline, name: str, environ: Mapping[str, str], *, verify: bool = False, repair: bool = False
) -> Published:
    """Bring the output *name* up to the last released change; *verify* compares it with the catalogue afterwards.

    Raises:
        ConfigError: no such output, or one that cannot be opened.
        Locked: another process publishes to it.
        OutputError: the far side does not answer; what is in stays in, and the next call goes on from there.
        Halted: the feed is held, and the output would have to be compared or made anew.
    """
    try:
        output = open_output(pipeline, name, environ)
        return _published(pipeline, name, output, verify=verify, repair=repair)
    except OutputError as error:
        number = _waiting(pipeline, name)
        hint = f"changes that wait for it: {number}; the next run goes on from there"
        raise OutputError(error.message, place=error.place, hint=hint) from error


def _waiting(pipeline: Pipeline, name: str) -> int:
    """How many released changes the output has not got."""
    reached = stored_state(pipeline, name).state.reached
    with pipeline.database.read() as conn:
        return max(0, int(changes.feed_state(conn)["released"]) - reached)


def _published(pipeline: Pipeline, name: str, output: Output, *, verify: bool, repair: bool) -> Published:
    with pipeline.database.lock(PUBLISH_LOCK + name):
        stored = stored_state(pipeline, name)
        now = fingerprints(pipeline)
        moved = any(stored.partners.get(code, value) != value for code, value in now.items())
        lost = output.lost(stored.state) if stored.state.epoch else ""
        start = OutputState() if moved or lost else stored.state
        with reading(pipeline) as catalogue:
            fresh = (
                start.epoch != catalogue.epoch or not catalogue.kept_since - 1 <= start.reached <= catalogue.released
            )
            if fresh or verify:
                _refuse_held(pipeline)
            state = deliver(output, catalogue, start, lambda one: _save(pipeline, name, Stored(one, now)))
            drift = output.verify(catalogue, repair) if verify else None
        _save(pipeline, name, Stored(state, now))
    return Published(name, stored.state.position, state, fresh, lost, drift)


def open_output(pipeline: Pipeline, name: str, environ: Mapping[str, str]) -> Output:
    """The output *name* of induk.yaml, with its credentials read; a relative folder lies beside induk.yaml."""
    configured = pipeline.settings.outputs.get(name)
    if configured is None:
        known = list(pipeline.settings.outputs)
        hint = suggestion(name, known) if known else "induk.yaml has no outputs:"
        raise ConfigError(f"unknown output {name!r}", hint=hint)
    url = configured.url
    if url and "://" not in url:
        url = str((pipeline.settings.folder / url).absolute())
    credentials = {key: _revealed(value, environ) for key, value in configured.credentials.items()}
    partners = _partners(pipeline)
    opening = Opening(name, url, configured.options, credentials, partners, pipeline.clock, write_marc, pipeline.log)
    return outputs.get(configured.kind, f"outputs.{name}")(opening)


def _revealed(value: Any, environ: Mapping[str, str]) -> str:
    return (value if isinstance(value, Secret) else Secret(str(value))).reveal(environ)


def _refuse_held(pipeline: Pipeline) -> None:
    """A comparison or a fresh start shows the present state, and with it what a person has not released yet."""
    with pipeline.database.read() as conn:
        held = changes.held(conn)
    if held and held["seq"] > held["released"]:
        numbers = f"{held['released'] + 1} to {held['seq']}"
        raise Halted(f"changes {numbers} are held: {held['reason']}", hint="release them, then publish again")


# ---- state ---------------------------------------------------------------------------------------------


def stored_state(pipeline: Pipeline, name: str) -> Stored:
    """Where the output stands, as stored; a blank state when it never ran."""
    with pipeline.database.read() as conn:
        row = changes.cursor(conn, name)
    return msgspec.json.decode(row["body"], type=Stored) if row else Stored()


def _save(pipeline: Pipeline, name: str, stored: Stored) -> None:
    state = stored.state
    faultpoint.reach("publish.step.delivered")
    with pipeline.database.write(durable=True) as conn:
        body = msgspec.json.encode(stored).decode()
        changes.set_cursor(conn, name, state.epoch, state.position, body, pipeline.now())
    faultpoint.reach("publish.step.saved")


def fingerprints(pipeline: Pipeline) -> dict[str, str]:
    """Partner → a hash of what every document with a record of it depends on: its policy, its names and codes.

    When one differs from what an output was made with, everything is sent anew and older files are listed for
    removal: a field that is withheld from now on may stand in any of them.
    """
    found = {}
    for one in _partners(pipeline):
        sources = [(source.code, source.options.get("local_prefix", "")) for source in one.sources]
        telling = (one.policy, one.name_id, one.name_en, one.isil, one.npp, one.group, sources)
        found[one.code] = digest(msgspec.json.encode(telling)).hex()
    return found


def _partners(pipeline: Pipeline) -> tuple[Partner, ...]:
    """The partners as they were enrolled last, without credentials."""
    with pipeline.database.read() as conn:
        return tuple(work.partners(conn))


# ---- configuration of others ---------------------------------------------------------------------------


def write_vufind_config(pipeline: Pipeline, folder: Path) -> list[Path]:
    """Write the parts of VuFind's configuration that fit the Solr documents into *folder*; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in vufind_config(_partners(pipeline)).items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written
