"""A consortium in a folder, for tests of the whole journey: settings, partners, a database, nights, kills."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from db import dump, verify, work
from db.engine import Database
from harvester import faultpoint, log, pipeline, settings
from harvester.clock import SystemClock
from harvester.model import Clock, Partner, Source
from tests import canaries, schema
from tests.servers import postgres

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["harvester.pipeline", "harvester.sources.oai_pmh", "harvester.sources.files"])

DEADLINE = 300.0  # seconds for what takes a few where nothing else runs
CONFIG = """\
name: {{id: Uji, en: Test}}
database: {url}
politeness: {{delay_seconds: 0, attempts: 2}}
match: {{batch: {batch}}}
"""
SECRETS = "mail: {{password: '{mail}'}}\nweb: {{session_secret: '{session}'}}\n"


class Consortium:
    """A folder with induk.yaml and partners; every night opens everything anew, as cron does."""

    def __init__(self, folder: Path, url: str, *, batch: int = 200, clock: Clock | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.url = url
        self.clock = clock or SystemClock()
        (folder / "partners.d").mkdir(exist_ok=True)
        told = {place: canaries.reference(folder, place) for place in ("mail", "session")}
        text = CONFIG.format(url=url, batch=batch) + SECRETS.format(**told)
        (folder / "induk.yaml").write_text(text, encoding="utf-8")
        database = Database(url)
        schema.prepare(database)
        database.close()

    def add(self, code: str, *, partner: Mapping[str, Any] | None = None, **source: Any) -> None:
        """Add a partner with one source."""
        kept = {"credentials": canaries.references(self.folder, source.get("protocol", ""))}
        made = Source(code=code, **kept | source)
        known = Partner(code=code, name_id=code, name_en=code, sources=(made,), **(partner or {}))
        settings.write_partner(self.folder, known)

    def configure(self, text: str) -> None:
        """Add to the settings; what names a key again takes its place."""
        path, keys = self.folder / "induk.yaml", {line.partition(":")[0] for line in text.splitlines()}
        kept = [line for line in path.read_text(encoding="utf-8").splitlines() if line.partition(":")[0] not in keys]
        path.write_text("\n".join([*kept, text]), encoding="utf-8")

    def settings(self) -> settings.Settings:
        return self.settings_in(self.folder)

    @staticmethod
    def settings_in(folder: Path) -> settings.Settings:
        return settings.load(folder / "induk.yaml", environ={})

    def open(self) -> pipeline.Pipeline:
        """The pipeline; the caller closes its database."""
        known = self.settings()
        return pipeline.open_pipeline(known, {}, self.clock, log=log.make("debug", "json", log.secrets_of(known, {})))

    @contextmanager
    def opened(self) -> Iterator[pipeline.Pipeline]:
        made = self.open()
        try:
            yield made
        finally:
            made.workers.close()
            made.database.close()

    def harvest(self, *codes: str, **order: Any) -> dict[str, Any]:
        """Harvest *codes* (none: all); returns source → outcome."""
        with self.opened() as made:
            return dict(pipeline.harvest(made, pipeline.active_sources(made, codes), pipeline.Order(**order)))

    def match(self) -> dict[str, Any]:
        with self.opened() as made:
            return pipeline.match(made)

    def night(self) -> dict[str, Any]:
        """Harvest everybody, then match."""
        outcomes = self.harvest()
        self.match()
        return outcomes

    def forget_files(self, code: str) -> None:
        """Let the source's files count as new: the next harvest reads them again."""
        with self.opened() as made, made.database.write() as conn:
            work.set_source(conn, made.source_ids[code], {"quirks": "{}"})

    def dump(self) -> str:
        with self._read() as conn:
            return "\n".join(dump.lines(conn))

    def faults(self) -> list[str]:
        """What `induk db verify` finds wrong."""
        with self._read() as conn:
            return [f"{one.name}: {one.bad}" for one in verify.verify(conn) if one.bad]

    def ask(self, question: Callable[[Any], Any]) -> Any:
        with self._read() as conn:
            return question(conn)

    @contextmanager
    def _read(self) -> Iterator[Any]:
        database = Database(self.url)
        try:
            with database.read() as conn:
                yield conn
        finally:
            database.close()

    # ---- killing ---------------------------------------------------------------------------------------

    def killed_at(self, point: str, count: int = 1) -> bool:
        """Run a night in a process that dies at the *count*-th *point*; whether it came that far."""
        process = self._process(point, count)
        process.join(DEADLINE)
        assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
        postgres.until_idle(self.url)
        return process.exitcode == -signal.SIGKILL

    def killed_after(self, seconds: float) -> bool:
        """Run a night in a process that is killed after *seconds*; whether it was still at work."""
        process = self._process("", 0)
        process.join(seconds)
        assert process.pid is not None
        alive = process.is_alive()
        if alive:
            os.kill(process.pid, signal.SIGKILL)
        process.join(DEADLINE)
        assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
        postgres.until_idle(self.url)
        return alive

    def duration(self) -> float:
        """Run a night in a process of its own; how long it took, in seconds."""
        started = time.monotonic()
        process = self._process("", 0)
        process.join(DEADLINE)
        assert process.exitcode == 0
        return time.monotonic() - started

    def _process(self, point: str, count: int) -> Any:
        process = _context.Process(target=_night, args=(str(self.folder), self.url, point, count))
        process.start()
        return process


def _night(folder: str, url: str, point: str, count: int) -> None:
    """The whole night, in the process that is to be killed."""
    if point:
        faultpoint.arm(point, count)
    opened = pipeline.open_pipeline(settings.load(Path(folder) / "induk.yaml", environ={}), {}, SystemClock())
    pipeline.harvest(opened, pipeline.active_sources(opened))
    pipeline.match(opened)


def enrol_sample(consortium: Consortium, partners: Iterable[Any]) -> None:
    """Add the partners of a demo sample."""
    for one in partners:
        consortium.add(one.code, **one.source)
