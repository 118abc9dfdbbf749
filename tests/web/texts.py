"""Every text that a person sees and that can be translated; `python -m tests.web.texts` brings them up to date.

What is new stands untranslated in harvester/locale/id/LC_MESSAGES/induk.po until somebody translates it; what no page
says any more goes. The test beside this file is red for both.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from tests.cli import texts as cli

ROOT = Path(__file__).parents[2]
PO = ROOT / "harvester" / "locale" / "id" / "LC_MESSAGES" / "induk.po"
METHODS = [("web/templates/**.html", "jinja2.ext.babel_extract"), ("**.py", "python")]
KEYWORDS: Any = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2), "NN_": (1, 2)}


@cache
def said() -> dict[str | tuple[str, ...], list[str]]:
    """Message (or singular and plural) → the files that say it."""
    found: dict[str | tuple[str, ...], list[str]] = {}
    for file, _, message, _, _ in extract_from_dir(str(ROOT / "harvester"), METHODS, keywords=KEYWORDS):
        places = found.setdefault(message, [])
        if file not in places:
            places.append(file)
    for read in (cli.helps(), cli.heads(), cli.marked(), cli.sentences()):
        for message, file in read.items():
            found.setdefault(message, [file])
    return found


@cache
def catalogue() -> Catalog:
    """The Indonesian translations as they are committed."""
    with PO.open("rb") as stream:
        return read_po(stream, locale="id")


def update(translations: dict[Any, str] | None = None) -> int:
    """Write the catalogue for what is said now, keeping translations; returns how many texts lack one."""
    old = {message.id: message.string for message in catalogue()} if PO.exists() else {}
    day = datetime(2026, 1, 1, tzinfo=UTC)  # always the same: else two branches differ by it
    made = Catalog(locale="id", project="induk", version="1", charset="utf-8", fuzzy=False, creation_date=day)
    missing = 0
    for message, places in sorted(said().items(), key=str):
        text: Any = (translations or {}).get(message) or old.get(message) or ""
        if isinstance(message, tuple):
            text = (text if isinstance(text, str) else text[0],) * made.num_plurals
        made.add(message, text, locations=[(place, 0) for place in sorted(places)])
        missing += not (text[0] if isinstance(text, tuple) else text)
    PO.parent.mkdir(parents=True, exist_ok=True)
    with PO.open("wb") as stream:
        write_po(stream, made, width=110, include_lineno=False)
    with PO.with_suffix(".mo").open("wb") as stream:
        write_mo(stream, made)
    return missing


if __name__ == "__main__":
    print(f"{update()} texts are not translated")
