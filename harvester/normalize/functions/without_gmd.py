"""without_gmd."""

from __future__ import annotations

import re

from harvester.normalize.functions import functions

_GMD = re.compile(
    r"\s*[\[(](?:text|teks|buku|book|sumber elektronik|sumber elektronis|electronic resource|computer file"
    r"|berkas komputer|"
    r"rekaman (?:suara|video)|sound recording|videorecording|video ?recording|motion picture|film"
    r"|bahan kartografi|peta|map|"
    r"cartographic material|microform|mikrofilm|microfilm|microfiche|bentuk mikro|musik|music|manuskrip"
    r"|manuscript|naskah|"
    r"gambar|picture|graphic|bahan grafis|kit|art original|model|realia|skripsi|tesis|disertasi|braille"
    r"|e-?book|cd-?rom|"
    r"multimedia|serial|majalah|jurnal|monograf)[\])]",
    re.IGNORECASE,
)


@functions.register("without_gmd")
def without_gmd(value: str) -> str:
    """The title without a general material designation in brackets.

    >>> without_gmd("Atlas Indonesia [sumber elektronik] : edisi pelajar"), without_gmd("Sajak [tanpa judul]")
    ('Atlas Indonesia : edisi pelajar', 'Sajak [tanpa judul]')
    """
    if "[" not in value and "(" not in value:
        return value
    return _GMD.sub("", value).strip()
