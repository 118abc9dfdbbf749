"""Interface texts in Indonesian and English: gettext by language argument, never by the machine's locale."""

from __future__ import annotations

import gettext as _gettext
from collections.abc import Callable
from functools import cache
from pathlib import Path

LANGUAGES = ("en", "id")
DOMAIN = "induk"
FOLDER = Path(__file__).with_name("locale")


@cache
def translations(language: str) -> _gettext.NullTranslations:
    """The catalogue of *language*; English is the language of the messages themselves."""
    return _gettext.translation(DOMAIN, FOLDER, languages=[language], fallback=True)


def translator(language: str) -> Callable[[str], str]:
    """The function that turns an English message into *language*."""
    return translations(language).gettext
