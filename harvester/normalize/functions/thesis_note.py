"""thesis_note."""

from __future__ import annotations

import re

from harvester.model import Thesis
from harvester.normalize.functions import functions

_DEGREE = re.compile(
    r"\b(skripsi|tesis|disertasi|tugas akhir|karya tulis ilmiah|S-?1|S-?2|S-?3|D-?3|D-?4|Ph\.? ?D\.?"
    r"|M\.? ?A\.?|M\.? ?Sc\.?|M\.? ?S\.?|"
    r"sarjana|magister|doktor|master(?:'s)?|doctora(?:l|te)|bachelor(?:'s)?)(?!\w)",
    re.IGNORECASE,
)
_INSTITUTION = re.compile(
    r"((?:[^\W\d_][\w.&'’-]*\s+){0,4}?(?:Universit\w*|University|Institut\w*|Sekolah Tinggi|Politeknik"
    r"|Akademi|College|IAIN|UIN|STAIN|ITB|IPB|UGM|UI)\b[^,;()0-9]*)"
)
_FACULTY = re.compile(r"\b((?:Fakultas|Fak\.|Program Studi|Jurusan|Prodi|Faculty of|Department of)\s[^,;()]+)")
_YEAR = re.compile(r"(?<![0-9])(?:19|20)[0-9]{2}(?![0-9])")


@functions.register("thesis_note")
def thesis_note(value: str) -> Thesis | None:
    """Degree, institution, faculty and year out of a thesis note in one text.

    >>> thesis_note("Skripsi (S1)--Fakultas Hukum, Universitas Indonesia, 2011.")
    Thesis(degree='Skripsi', institution='Universitas Indonesia', faculty='Fakultas Hukum', year=2011, student_id='')
    """
    value = value.replace("--", ", ").replace("—", ", ")
    degree, place, faculty, year = (p.search(value) for p in (_DEGREE, _INSTITUTION, _FACULTY, _YEAR))
    if not (degree or place or faculty):
        return None
    institution = " ".join(place[1].split()).strip(" -–—.,:") if place else ""
    return Thesis(
        degree=degree[1] if degree else "",
        institution=institution,
        faculty=faculty[1].strip(" .") if faculty else "",
        year=int(year[0]) if year else None,
    )
