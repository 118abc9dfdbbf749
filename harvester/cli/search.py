"""induk search"""

from __future__ import annotations

import click

from harvester.cli._speech import _, value_of
from harvester.cli.common import Shell, common, open_pipeline
from harvester.errors import UsageError


@click.command("search")
@click.argument("words", nargs=-1, required=True)
@click.option("--partner", default="", help="Only what this library has.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many.")
@click.option("--offset", type=click.IntRange(0, 100_000), default=0, help="Leave so many of the first out.")
@common
def command(shell: Shell, words: tuple[str, ...], partner: str, limit: int, offset: int) -> None:
    """Find merged records in which all WORDS occur: of titles, names, publishers, series, subjects; an ISBN or ISSN.

    The last word may end in * (quoted), as a beginning. First come those with all words in the title.
    """
    from db.search import Query
    from harvester import asking

    opened = open_pipeline(shell)
    code = opened.settings.partner(partner).code if partner else ""
    terms = " ".join(words).strip()
    if not any(char.isalnum() for char in terms):
        raise UsageError("name a word or a number to look for")
    found = asking.find(opened, Query(terms, partner=code), limit, offset)

    def say() -> None:
        if not found.hits:
            shell.say(
                _("no merged record has all of: {words}", words=terms) if not found.total else _("there are no more")
            )
            return
        heads = ["cluster", "title", "author", "year", "material", "partners", "members"]
        rows = [
            [one.id, one.title, one.author, one.year, value_of("material", one.material), one.partners, one.members]
            for one in found.hits
        ]
        shell.table(heads, rows)
        last = offset + len(found.hits)
        shell.say(_("{first} to {last} of {total}", first=offset + 1, last=last, total=found.total))
        if last < found.total:
            shell.say(_("the next: --offset {last}", last=last))

    shell.emit(found, say)
