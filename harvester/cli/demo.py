"""induk demo"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from harvester.cli._speech import _
from harvester.cli.common import Shell, common
from harvester.i18n import N_

MARK = ".induk-demo"
CONFIG = """\
# The sample consortium of `induk demo`; written anew at every start.
name: {id: Konsorsium Contoh, en: Sample Consortium}
database: sqlite:///induk.db
politeness: {delay_seconds: 0}
"""
NEXT = N_("""\
What to try next (the catalogue lies in {folder}):
  export INDUK_CONFIG={config} PATH={programs}:$PATH
  induk partner list
  induk run list
  induk record trace {address} --field title
  induk match explain {left} {right}
  induk changes --since 0
  induk db verify
Your own libraries: induk init my-union, then induk partner add CODE URL (see docs/recipes.md).""")


@click.command("demo")
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), default=Path("demo-data"), show_default=True
)
@click.option("--keep", is_flag=True, help="Leave the sample partners serving at the end, until Ctrl-C.")
@common
def command(shell: Shell, folder: Path, keep: bool) -> int:
    """Four sample libraries on loopback, two nights, the whole journey; ends by itself."""
    from harvester.demo.sample import EVENING, Sample
    from harvester.demo.store import SampleClock

    with _place(folder) as home, Sample(home / "partners", SampleClock(EVENING)) as sample:
        show = _Show(shell, home, sample)
        show.first_night()
        show.second_night()
        code = show.end()
        if keep:
            shell.say(_("The sample partners go on serving; stop with Ctrl-C."))
            sample.serve_forever()
        return code


@contextmanager
def _place(folder: Path) -> Iterator[Path]:
    """An empty folder of the demo's own; one that holds anything else is left alone."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        folder = Path(tempfile.mkdtemp(prefix="induk-demo-"))
    else:
        shutil.rmtree(folder, ignore_errors=True)
    (folder / "partners.d").mkdir(parents=True)
    (folder / MARK).touch()
    (folder / "induk.yaml").write_text(CONFIG, encoding="utf-8")
    yield folder.absolute()


class _Show:
    """The steps of the demo, over one pipeline opened anew each night, as cron would."""

    def __init__(self, shell: Shell, folder: Path, sample: Any) -> None:
        self.shell = shell
        self.folder = folder
        self.sample = sample
        self.sequence = 0
        self.pair = ("", "")
        self._enrol()

    def _enrol(self) -> None:
        from db import migrate
        from db.engine import Database
        from harvester import settings
        from harvester.model import Partner, Source

        for one in self.sample.partners():
            source = Source(code=one.code, **one.source)
            known = Partner(one.code, one.name_id, one.name_en, (source,), type=one.type)
            settings.write_partner(self.folder, known)
            name = one.name_id if self.shell.lang == "id" else one.name_en
            self.shell.say(f"{one.code:10} {name:44} {source.protocol:8} {source.preset}")
        migrate.upgrade(Database(f"sqlite:///{self.folder / 'induk.db'}"))

    def _open(self) -> Any:
        from harvester import pipeline, settings

        known = settings.load(self.folder / "induk.yaml", environ={})
        return pipeline.open_pipeline(known, {}, self.sample.clock)

    def _night(self) -> Any:
        from harvester import pipeline
        from harvester.cli.harvest import harvest_and_show
        from harvester.cli.match import match_and_show

        opened = self._open()
        harvest_and_show(self.shell, opened, pipeline.active_sources(opened), pipeline.Order())
        match_and_show(self.shell, opened)
        return opened

    def first_night(self) -> None:
        self._title(_("The first night: everything is new"))
        opened = self._night()
        merged, vetoed = _telling_pairs(opened)
        self.pair = merged
        self._title(_("A merge explained"))
        self._explain(opened, merged)
        self._title(_("A non-merge explained"))
        self._explain(opened, vetoed)
        self._title(_("The first lines of the feed that a search index reads"))
        self._feed(opened, limit=5)

    def second_night(self) -> None:
        self._title(_("The second night: edits, deletions, new records, and one library's page that breaks off"))
        self.sample.night(2, broken_page=True)
        opened = self._night()
        self.shell.say(_("The broken list made that run partial: nothing was lost, and nothing was taken for deleted."))
        self._title(_("What the second night changed"))
        self._feed(opened, limit=12)
        self._title(_("An hour later the page is whole again; that list is harvested anew"))
        self.sample.clock.sleep(3600)
        self.sample.heal()
        self._night()

    def end(self) -> int:
        from db import verify

        opened = self._open()
        with opened.database.read() as conn:
            bad = [one for one in verify.verify(conn) if one.bad]
        self._title(_("Does the catalogue contradict itself?"))
        self.shell.say(_("no: every check of `induk db verify` is good") if not bad else _("yes: {bad}", bad=bad))
        left, right = self.pair
        config = self.folder / "induk.yaml"
        self.shell.say()
        programs = Path(sys.executable).parent
        self.shell.say(
            _(NEXT, folder=self.folder, config=config, programs=programs, address=left, left=left, right=right)
        )
        return 4 if bad else 0

    def _title(self, text: str) -> None:
        self.shell.say(f"\n── {text} {'─' * max(2, 100 - len(text))}")

    def _explain(self, opened: Any, pair: tuple[str, str]) -> None:
        from harvester import explaining
        from harvester.cli._pair import show_pair

        answer = explaining.explain(opened, *pair)
        telling = [one for one in answer["today"]["evidence"] if one["points"] or one["outcome"] not in ("missing",)]
        show_pair(self.shell, {**answer, "today": {**answer["today"], "evidence": telling}})

    def _feed(self, opened: Any, limit: int) -> None:
        from db import catalogue, changes

        with opened.database.read() as conn:
            rows = changes.since(conn, self.sequence, 100_000)
            self.sequence = rows[-1]["seq"] if rows else self.sequence
            briefs = catalogue.briefs(conn, [row["cluster_id"] for row in rows[:limit]])
        lines = [
            [
                row["seq"],
                row["kind"],
                row["cluster_id"],
                row["target_id"],
                briefs.get(row["cluster_id"], {}).get("title", ""),
            ]
            for row in rows[:limit]
        ]
        self.shell.table(["seq", "kind", "cluster", "leads to", "title"], lines)
        if len(rows) > limit:
            self.shell.say(_("… and {number} more", number=len(rows) - limit))


def _telling_pairs(opened: Any) -> tuple[tuple[str, str], tuple[str, str]]:
    """(two records of different partners that were merged, two that look alike and were kept apart)."""
    from db import catalogue

    with opened.database.read() as conn:
        return catalogue.strongest_pair(conn, "merge"), catalogue.strongest_pair(conn, "veto")
