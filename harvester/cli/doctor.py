"""induk doctor"""

from __future__ import annotations

import click

from harvester.cli.common import Shell, common


@click.command("doctor")
@common
def command(shell: Shell) -> int:
    """Is everything in place? Configuration, rules, mappings, database, disk, clock; exit code 1 when not."""
    from harvester import doctor

    rows = doctor.examine(shell.config)
    shell.emit(
        [row._asdict() for row in rows],
        lambda: shell.table(
            ["", "what", "found"], [["ok" if row.good else "WRONG", row.name, row.found] for row in rows]
        ),
    )
    return 0 if all(row.good for row in rows) else 1
