"""No text stays untranslated, no translation outlives its text, and what is compiled is what is written."""

from __future__ import annotations

import gettext
import re

from tests.web.texts import PO, catalogue, said

HOLE = re.compile(r"%\(\w+\)s|%\w")


def test_every_text_is_translated() -> None:
    known = {message.id: message.string for message in catalogue() if message.id}
    lacking = [text for text in said() if not known.get(text) or not all(known[text])]
    assert lacking == [], "python -m tests.web.texts, then translate them in induk.po"


def test_no_translation_outlives_its_text() -> None:
    now = said()
    assert [message.id for message in catalogue() if message.id and message.id not in now] == []


def test_a_translation_keeps_the_holes_of_its_text() -> None:
    for message in catalogue():
        if message.id and isinstance(message.id, str):
            assert sorted(HOLE.findall(message.id)) == sorted(HOLE.findall(message.string)), message.id


def test_the_compiled_catalogue_is_the_written_one() -> None:
    with PO.with_suffix(".mo").open("rb") as stream:
        compiled = gettext.GNUTranslations(stream)
    for message in catalogue():
        if message.id and isinstance(message.id, str):
            assert compiled.gettext(message.id) == message.string
