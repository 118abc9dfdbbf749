"""induk init"""

from __future__ import annotations

from pathlib import Path

import click

from harvester.cli._speech import _
from harvester.cli.common import Shell, common


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@common
def command(shell: Shell, folder: Path) -> None:
    """Write a commented induk.yaml and an empty partners.d into FOLDER, and make the database."""
    from harvester import settings

    folder.mkdir(parents=True, exist_ok=True)
    written = settings.init(folder)
    shell = shell._replace(config=folder / "induk.yaml")
    from db import migrate
    from harvester.cli.common import open_database

    migrate.upgrade(open_database(shell))
    shell.emit(
        {"written": [str(one) for one in written]},
        lambda: shell.say(
            _("{folder} is ready. Next: induk partner add CODE URL --config {folder}", folder=folder / "induk.yaml")
        ),
    )
