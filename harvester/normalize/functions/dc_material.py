"""dc_material."""

from __future__ import annotations

import re

from harvester.normalize import materials
from harvester.normalize.functions import functions

_TYPES = (
    ("article", re.compile(r"\b(?:article|artikel|journal:? ?article|peer-?reviewed|conference (?:paper"
        r"|item)|prosiding|preprint|makalah)\b", re.IGNORECASE)),
    ("part", re.compile(r"\b(?:book ?(?:part|section|chapter)|bab buku)\b", re.IGNORECASE)),
    ("serial", re.compile(r"\b(?:journal|jurnal|majalah|serial|periodical|terbitan berkala|surat kabar"
        r"|newspaper|buletin)\b", re.IGNORECASE)),
    ("video", re.compile(r"\b(?:moving ?image|video|film)\b", re.IGNORECASE)),
    ("recording", re.compile(r"\b(?:sound|audio|rekaman suara|musik rekaman)\b", re.IGNORECASE)),
    ("map", re.compile(r"\b(?:map|peta|cartographic|kartografi)\b", re.IGNORECASE)),
    ("score", re.compile(r"\b(?:musical? (?:score|notation)|partitur)\b", re.IGNORECASE)),
    ("image", re.compile(r"\b(?:still ?image|image|gambar|photograph|foto|poster|lukisan)\b", re.IGNORECASE)),
    ("manuscript", re.compile(r"\b(?:manuscript|manuskrip|naskah(?: kuno)?)\b", re.IGNORECASE)),
    ("object", re.compile(r"\b(?:physical ?object|artefa[ck]t?)\b", re.IGNORECASE)),
    ("electronic", re.compile(r"\b(?:software|dataset|interactive ?resource|perangkat lunak)\b", re.IGNORECASE)),
    ("book", re.compile(r"\b(?:book|buku|monograph?|ebook|e-book)\b", re.IGNORECASE)),
)  # fmt: skip
# "International Journal of X; Vol 2, No 2 (2011); 199-205", as OJS writes where an article stands.
_ISSUE = re.compile(
    r";\s*vol\b\.?\s*[\w/-]+,?\s*(?:no|nr|issue|nomor)\b\.?\s*[\w/-]+\s*\((?:19|20)[0-9]{2}\)", re.IGNORECASE
)


@functions.register("dc_material")
def dc_material(
    *, types: list[str], titles: list[str], texts: list[str] | None = None, sources: list[str] | None = None
) -> str:
    """The material class from dc:type, then from the words of the title; further texts are asked for a thesis only.

    A source that names volume, number and year of a journal makes an article of what has no type.

    A first `Skripsi` or `Thesis` in any type wins over `NonPeerReviewed` and `Text`.

    >>> dc_material(types=["Text", "Thesis"], titles=["Pengaruh X"]), dc_material(types=["Article"], titles=["X"])
    ('thesis', 'article')
    >>> dc_material(types=["Text"], titles=["Buku siswa matematika kelas VII"]), dc_material(types=[], titles=["X"])
    ('schoolbook', 'book')
    >>> dc_material(types=[""], titles=["X"], sources=["Jurnal Adat; Vol 2, No 2 (2011): Juni; 199-205"])
    'article'
    """
    if any(materials.says_thesis(text) for text in types):
        return "thesis"
    for name, pattern in _TYPES:
        if name != "book" and any(pattern.search(text) for text in types):
            return name
    if any(materials.says_thesis(text) for text in texts or ()):
        return "thesis"
    if not any(types) and any(_ISSUE.search(text) for text in sources or ()):
        return "article"
    return "schoolbook" if any(materials.says_schoolbook(title) for title in titles) else "book"
