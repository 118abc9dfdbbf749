"""mods_material."""

from __future__ import annotations

import re

from harvester.normalize.functions import functions
from harvester.normalize.functions.dc_material import dc_material

_BOOK = re.compile(r"books?|buku|monograph", re.IGNORECASE)


@functions.register("mods_material")
def mods_material(*, types: list[str], titles: list[str], hosts: list[str] | None = None) -> str:
    """The material class from typeOfResource, genre and notes; a text with a host item is an article.

    >>> mods_material(types=["text", "thesis"], titles=["Dampak X"])
    'thesis'
    >>> mods_material(types=["text"], titles=["Puasa"], hosts=["Kompas"])
    'article'
    >>> mods_material(types=["text", "book"], titles=["Sejarah"], hosts=["2"])  # a volume of a set
    'book'
    """
    found: str = dc_material(types=types, titles=titles)
    if not hosts or found not in ("book", "schoolbook") or any(_BOOK.fullmatch(one.strip()) for one in types):
        return found
    return "article"
