"""induk publish"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from harvester.cli._speech import _, told
from harvester.cli.common import Shell, common, open_pipeline
from harvester.errors import UsageError
from harvester.i18n import N_

VUFIND = "vufind-config"
SHOWN = 20


@click.command("publish")
@click.argument("name")
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option("--verify", is_flag=True, help="Compare the output with the catalogue, document by document.")
@click.option("--repair", is_flag=True, help="Put right what --verify finds, and nothing else.")
@common
def command(shell: Shell, name: str, folder: Path | None, verify: bool, repair: bool) -> int:
    """Bring the output NAME of induk.yaml up to date; `vufind-config FOLDER` writes what VuFind must know instead."""
    pipeline = open_pipeline(shell)
    with closing(pipeline.database):
        if name == VUFIND:
            return _vufind_config(shell, pipeline, folder)
        if folder is not None:
            raise UsageError("only vufind-config takes a folder", hint="the folder of an output stands in induk.yaml")
        return _publish(shell, pipeline, name, verify=verify or repair, repair=repair)


def _publish(shell: Shell, pipeline: Any, name: str, *, verify: bool, repair: bool) -> int:
    from harvester import publishing

    if shell.dry_run:
        stored = publishing.stored_state(pipeline, name)
        shell.emit(
            stored, lambda: shell.say(_("{name} stands at {position}", name=name, position=stored.state.position))
        )
        return 0
    done = publishing.publish(pipeline, name, os.environ, verify=verify, repair=repair)
    shell.emit(_plain(done), lambda: _show(shell, done))
    drift = done.drift
    return 4 if drift is not None and not drift.clean and not repair else 0


def _vufind_config(shell: Shell, pipeline: Any, folder: Path | None) -> int:
    from harvester import publishing

    if folder is None:
        raise UsageError("vufind-config needs a folder", hint="induk publish vufind-config FOLDER")
    paths = publishing.write_vufind_config(pipeline, folder)
    shell.emit([str(path) for path in paths], lambda: shell.say("\n".join(str(path) for path in paths)))
    return 0


def _plain(done: Any) -> dict[str, Any]:
    drift = None if done.drift is None else {**done.drift._asdict(), "clean": done.drift.clean}
    return {
        "output": done.output,
        "before": done.before,
        "position": done.state.position,
        "reached": done.state.reached,
        "epoch": done.state.epoch,
        "snapshot": done.snapshot,
        "lost": done.lost,
        "rejected": list(done.state.rejected),
        "drift": drift,
    }


def _show(shell: Shell, done: Any) -> None:
    how = (
        _("everything anew")
        if done.snapshot
        else _("changes {before} to {reached}", before=done.before + 1, reached=done.state.reached)
    )
    if not done.snapshot and done.before == done.state.reached:
        how = _("nothing new")
    shell.say(_("{output}: {how}; stands at {position}", output=done.output, how=how, position=done.state.position))
    if done.lost:
        shell.say(_("everything was written anew, since {reason}", reason=told(done.lost)))
    if done.state.rejected:
        shell.say(_("{number} documents are refused; they are tried again each time", number=len(done.state.rejected)))
        rows = [[one.cluster, one.document, one.seq, one.tries, one.reason] for one in done.state.rejected[:SHOWN]]
        shell.table(["cluster", "document", "change", "tries", "reason"], rows)
    if done.drift is not None:
        _show_drift(shell, done.drift)


def _show_drift(shell: Shell, drift: Any) -> None:
    if drift.clean:
        shell.say(_("verified: no drift"))
    found = [(N_("missing"), drift.missing), (N_("different"), drift.different), (N_("surplus"), drift.surplus)]
    rows = [[_(name), len(ids), " ".join(ids[:SHOWN])] for name, ids in found if ids]
    if rows:
        shell.table(["drift", "documents", "first of them"], rows)
    for note in drift.notes:
        shell.say(told(note))
    if drift.repaired:
        shell.say(_("repaired: {number}", number=drift.repaired))
    shell.table(["partner", "catalogue", "output"], drift.counts)
