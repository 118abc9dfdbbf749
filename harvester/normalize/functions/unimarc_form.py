"""unimarc_form."""

from __future__ import annotations

from harvester.normalize import materials
from harvester.normalize.functions import functions

_PHYSICAL = {
    "d": "large_print",
    "e": "",
    "f": "braille",
    "g": "micro",
    "h": "",
    "i": "micro",
    "s": "electronic",
    "t": "micro",
}


@functions.register("unimarc_form")
def unimarc_form(*, leader: str, f007: list[str], carriers: list[str], gmd: list[str], extents: list[str]) -> str:
    """The carrier form of a UNIMARC record: 106 $a, 283 $a, the GMD and the extent; print needs a pagination.

    >>> unimarc_form(leader="00000nam", f007=["r"], carriers=[], gmd=[], extents=["350 p."])
    'print'
    >>> unimarc_form(leader="00000nlm", f007=[], carriers=["cr"], gmd=[], extents=[])
    'online'
    """
    for text in f007:
        if len(text) == 1 and _PHYSICAL.get(text):
            return _PHYSICAL[text]
    if "cr" in carriers:
        return "online"
    for text in (*gmd, *carriers, *extents):
        if named := materials.form_named(text):
            return named
    return "print" if leader[6:7] in "abcdef" and any(c.isdigit() for text in extents for c in text) else ""
