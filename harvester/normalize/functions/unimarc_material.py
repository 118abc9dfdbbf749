"""unimarc_material."""

from __future__ import annotations

from harvester.normalize.functions import functions
from harvester.normalize.functions.marc_material import marc_material

# UNIMARC has l for electronic resources and m for multimedia where MARC 21 has m and o.
_TYPES = str.maketrans("lm", "mo")


@functions.register("unimarc_material")
def unimarc_material(
    *, leader: str, titles: list[str], gmd: list[str], thesis: list[str], types: list[str], hosts: list[str]
) -> str:
    """The material class of a UNIMARC record: leader/06-07, thesis note (328), GMD (200 $b) and title words.

    >>> unimarc_material(leader="00000nlm", titles=["Atlas"], gmd=[], thesis=[], types=[], hosts=[])
    'electronic'
    """
    same = leader[:6] + leader[6:7].translate(_TYPES) + leader[7:]
    found: str = marc_material(leader=same, titles=titles, gmd=gmd, thesis=thesis, types=types, hosts=hosts)
    return found
