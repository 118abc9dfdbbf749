"""mods_material."""

from __future__ import annotations

from harvester.normalize.functions import functions
from harvester.normalize.functions.dc_material import dc_material


@functions.register("mods_material")
def mods_material(*, types: list[str], titles: list[str], hosts: list[str] | None = None) -> str:
    """The material class from typeOfResource, genre and notes; a text with a host item is an article.

    >>> mods_material(types=["text", "thesis"], titles=["Dampak X"])
    'thesis'
    >>> mods_material(types=["text"], titles=["Puasa"], hosts=["Kompas"])
    'article'
    """
    found = dc_material(types=types, titles=titles)
    return "article" if found in ("book", "schoolbook") and hosts else found
