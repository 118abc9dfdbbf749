"""dc_form."""

from __future__ import annotations

import re

from harvester.normalize import materials
from harvester.normalize.functions import functions

_FILE = re.compile(r"(?:application|text|image|audio|video)/[\w.+-]+|\bpdf\b|\.(?:pdf|epub|docx?)\b", re.IGNORECASE)
_PAGES = re.compile(r"[0-9]\s*(?:hlm|hal|halaman|p|pages?|jil|jilid|cm|v)\b", re.IGNORECASE)


@functions.register("dc_form")
def dc_form(*, formats: list[str], types: list[str] | None = None) -> str:
    """The carrier form from dc:format: a file type is online, a pagination or a size is print.

    >>> dc_form(formats=["application/pdf"]), dc_form(formats=["xii, 350 hlm. ; 21 cm"]), dc_form(formats=[])
    ('online', 'print', '')
    """
    for text in (*formats, *(types or ())):
        if named := materials.form_named(text) if not _FILE.search(text) else "":
            return named
    if any(_PAGES.search(text) for text in formats):
        return "print"
    return "online" if any(_FILE.search(text) for text in formats) else ""
