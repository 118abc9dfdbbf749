"""Class numbers and call numbers: the prefix, the number and the author mark told apart."""

from __future__ import annotations

import re
from functools import lru_cache

from harvester.model import Classification

PREFIXES = "R|REF|SR|SKR|SKRIPSI|TES|TESIS|DIS|DISERTASI|TA|KTI|LAP|F|FIK|FIKSI|J|JUV|A|B|KKI|SEK|SER|T|CD|DVD|P|PED|KP"
# Dewey is printed with a space after each three decimals (899.221 3), but what follows may be a year or a volume
_THREES = r"[0-9]{3}(?: [0-9]{3})*(?: [0-9]{1,3})(?![\w]|[.,/'’-][0-9])"
_DDC = re.compile(
    rf"(?:(?P<prefix>(?:{PREFIXES})\.?(?:[\s/-]+(?:{PREFIXES})\.?)?)[\s/.-]+)?(?:DDC\s*:?\s*(?:[0-9]{{2}}\s*:\s*)?)?"
    rf"\[?(?P<number>[0-9]{{3}}[.,]{_THREES}|[0-9]{{3}}(?:(?:[./,'’]|/\.)[0-9][0-9./'’]*)?)\]?(?![0-9])(?P<rest>.*)",
    re.IGNORECASE,
)
_ISLAM = re.compile(
    rf"(?:(?:{PREFIXES})[\s/.-]+)?(?P<number>2X[0-9](?:[.,]{_THREES}|(?:[./,][0-9]+)*))(?P<rest>.*)", re.IGNORECASE
)
_MARK = re.compile(r"[\s/.-]*(?P<mark>[^\W\d_][\w'’.-]{0,4}(?:[\s/-]+\w{1,3})?)?(?P<tail>.*)")


@lru_cache(maxsize=4096)
def class_of(text: str) -> Classification | None:
    """The DDC or 2X0 (islam) number in *text* with its author mark; None when there is neither."""
    plain = " ".join(text.split())
    if match := _ISLAM.match(plain):
        return Classification("islam", _plain(match["number"].upper()), _mark(match["rest"]))
    match = _DDC.match(plain)
    if match is None:
        return None
    return Classification("ddc", _plain(match["number"]), _mark(match["rest"]))


def _plain(number: str) -> str:
    return re.sub(r"[/'’ ]", "", number.replace(",", ".")).rstrip(".")


def _mark(rest: str) -> str:
    match = _MARK.match(rest)
    return " ".join((match["mark"] or "").split()) if match else ""
