"""induk doctor"""

from __future__ import annotations

import click

from harvester.cli._speech import _, told
from harvester.cli.common import Shell, common, settings_of
from harvester.i18n import N_

# what is looked at, and what is said of it when nothing else is
NAMES = [N_("configuration"), N_("rules"), N_("mappings"), N_("database"), N_("schema"), N_("catalogue")]
NAMES += [N_("clock"), N_("disk"), N_("good")]


@click.command("doctor")
@common
def command(shell: Shell) -> int:
    """Is everything in place? Configuration, rules, mappings, database, disk, clock; exit code 1 when not."""
    from harvester import doctor

    rows = doctor.examine(lambda: settings_of(shell))
    shell.emit(
        [row._asdict() for row in rows],
        lambda: shell.table(
            ["", "what", "found"],
            [[_("ok") if row.good else _("WRONG"), told(_(row.name)), _(row.found)] for row in rows],
        ),
    )
    return 0 if all(row.good for row in rows) else 1
