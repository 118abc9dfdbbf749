"""No text stays untranslated, no translation outlives its text, and what is compiled is what is written."""

from __future__ import annotations

import gettext
import re

from harvester.i18n import sentences, translations
from harvester.match import rules
from harvester.web.words import WORDS, sayer
from tests.web.texts import PO, catalogue, said

HOLE = re.compile(r"%\(\w+\)s|%\w")


def test_every_text_is_translated() -> None:
    known = {message.id: message.string for message in catalogue() if message.id}
    lacking = [text for text in said() if not known.get(text) or not all(known[text])]
    assert lacking == [], "python -m tests.web.texts, then translate them in induk.po"


def test_no_translation_outlives_its_text() -> None:
    now = said()
    assert [message.id for message in catalogue() if message.id and message.id not in now] == []


def test_every_reason_and_outcome_of_the_shipped_rules_has_words() -> None:
    say = sayer(translations("id").gettext, sentences("id"))
    tables = rules.load().tables.values()
    features = [feature for table in tables for stage in table.stages for feature in stage]
    codes = {one.name for table in tables for one in table.interactions}
    codes |= {veto.why for one in features for veto in one.vetoes.values()}
    codes |= {outcome for one in features for outcome in one.points} | {one.name for one in features}
    assert [one for one in sorted(codes) if one not in WORDS and say(one) == one] == []


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
