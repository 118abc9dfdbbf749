"""marc_material."""

from __future__ import annotations

from harvester.normalize import materials
from harvester.normalize.functions import functions


@functions.register("marc_material")
def marc_material(
    *, leader: str, titles: list[str], gmd: list[str], thesis: list[str], types: list[str], hosts: list[str]
) -> str:
    """The material class from leader/06-07, thesis note (502), GMD, content types (33x), host (773) and title words.

    >>> marc_material(leader="00000nam a22", titles=["Dampak X"], gmd=[], thesis=["Skripsi (S1)"], types=[], hosts=[])
    'thesis'
    >>> marc_material(leader="00000nam a22", titles=["Matematika kelas VII"], gmd=[], thesis=[], types=[], hosts=[])
    'schoolbook'

    The host of what calls itself a monograph must tell a place in a journal: volumes of sets have hosts, too.

    >>> for host in ("Jil. 12, no. 3, hlm. 12-30", "13,1"):
    ...     marc_material(leader="00000nam a22", titles=[], gmd=[], thesis=[], types=[], hosts=[host])
    'article'
    'book'
    """
    found = materials.material_of_leader(leader)
    if found in ("book", "manuscript", "electronic"):
        if any(map(materials.is_thesis_note, thesis)) or any(map(materials.says_thesis, (*types, *gmd))):
            return "thesis"
        if found == "book":
            named = next(filter(None, map(materials.material_named, gmd)), "")
            if named and named not in ("electronic", "kit"):
                return named
            if materials.says_schoolbook("\n".join(titles)):
                return "schoolbook"
    # A host field turns an independent text into an article only for language material.
    if (found == "part" and hosts) or (found == "book" and any(map(materials.tells_place, hosts))):
        return "article"
    return found
