"""marc_form."""

from __future__ import annotations

import re

from harvester.normalize import materials
from harvester.normalize.functions import functions

_ITEM = {
    "a": "micro",
    "b": "micro",
    "c": "micro",
    "d": "large_print",
    "f": "braille",
    "o": "online",
    "q": "electronic",
    "s": "electronic",
}
_CARRIERS = {"cr": "online", "nc": "print", "nb": "print", "no": "print"}


@functions.register("marc_form")
def marc_form(
    *,
    leader: str,
    f008: str = "",
    f007: list[str],
    carriers: list[str],
    gmd: list[str],
    extents: list[str],
    notes: list[str] | None = None,
    f006: list[str] | None = None,
) -> str:
    """The carrier form: from 007, 008/23 (008/29 for maps and pictures), 338, the GMD and the extent.

    Print needs a sign of its own (338 nc, or pages without any other sign), otherwise the form stays unknown. The code
    of a microform at 008/23 needs a second sign, be it in a note: of 6,194 GPO records with the code three stand alone
    with it, and all three are wrong.

    >>> marc_form(leader="00000nam", f007=["cr mn"], carriers=[], gmd=[], extents=["1 online resource (350 p.)"])
    'online'
    >>> marc_form(leader="00000nam", f007=[], carriers=[], gmd=[], extents=["350 hlm."])
    'print'
    >>> code = "880101s1988    dcu     b    f000 0 eng d"
    >>> marc_form(leader="00000nam", f008=code, f007=[], carriers=[], gmd=[], extents=["21 p."])
    'print'
    >>> marc_form(leader="00000nam", f007=["co cga"], carriers=[], gmd=[], extents=["345 p. + 1 CD-ROM"])
    'print'
    >>> marc_form(leader="00000nam", f008=code, f007=[], carriers=[], gmd=[], extents=["21 p."], notes=["Microfiche."])
    'micro'
    """
    found = ""
    extents = [text.partition("+")[0] for text in extents]  # 345 p. + 1 CD-ROM
    printed = leader[6:7] in "acdeft" and any(map(_counts_leaves, extents))
    for field in f007:
        kind = field[:1]
        if kind == "c" and not (printed and field[1:2] == "o"):
            found = "online" if field[1:2] == "r" else "electronic"
        elif kind == "h":
            return "micro"
        elif kind == "f" or field[:2] == "tc":
            return "braille"
        elif field[:2] == "tb":
            return "large_print"
    coded = _ITEM.get(f008[29:30] if leader[6:7] in "efgkor" else f008[23:24], "")
    if coded == "micro" and not _says_micro(*carriers, *gmd, *extents, *(notes or ())):
        coded = ""
    if coded and not (coded == "electronic" and found):
        return coded
    if found:
        return found
    if worded := _worded(carriers, gmd, extents):
        return worded
    if "print" in map(_CARRIERS.get, carriers):
        return "print"
    if any(field[:1] == "m" and field[6:7] == "o" for field in f006 or ()):
        return "online"
    return "print" if leader[6:7] in "acdeft" and any(map(str.isdigit, "".join(extents))) else ""


def _worded(carriers: list[str], gmd: list[str], extents: list[str]) -> str:
    """What the carrier's code (338 $b) says, or else a word for a form."""
    for text in carriers:
        if text[:1] == "c" and len(text) == 2:
            return _CARRIERS.get(text, "electronic")
        if len(text) == 2 and text[:1] == "h":
            return "micro"
    return next((named for text in (*gmd, *carriers, *extents) if (named := materials.form_named(text))), "")


_PAGES = re.compile(r"[0-9]\]? ?(?:p|pp|s|pages?|seiten|hlm|hal)\b", re.IGNORECASE)


def _counts_leaves(extent: str) -> bool:
    return bool(_PAGES.search(extent)) and not materials.form_named(extent)


def _says_micro(*texts: str) -> bool:
    return any(text[:1] == "h" and len(text) == 2 for text in texts) or any(
        materials.form_named(text) == "micro" for text in texts
    )
