"""local_numbers."""

from __future__ import annotations

import re

from harvester.normalize.functions import functions

PATTERN = re.compile(
    r"\b(NIM|NPM|NRP|NIDN|NIDK|NIP|NUPTK|KODEPRODI|KODE PRODI)\s*[.:\-#]?\s*([0-9A-Z][0-9A-Z./-]{3,24})", re.IGNORECASE
)

# RAMA writes its names in capitals; most texts of other libraries end here.
_HINT = re.compile(r"N(?:I[MDP]|PM|RP|UPTK)|KODE|Ni[mp]|Kode")


@functions.register("local_numbers")
def local_numbers(value: str) -> list[tuple[str, str]]:
    """The student, lecturer and programme numbers that RAMA repositories put into texts, by name.

    >>> local_numbers("Budi Santoso, NIM: 1301120045"), local_numbers("NIDN0012037501 KODEPRODI62201")
    ([('nim', '1301120045')], [('nidn', '0012037501'), ('kodeprodi', '62201')])
    """
    if not _HINT.search(value):
        return []
    if len(value) > 5000:
        value = value[:5000]
    found = []
    for name, number in PATTERN.findall(value):
        if any(c.isdigit() for c in number):
            key = name.lower().replace(" ", "")
            found.append(("nim" if key in ("npm", "nrp") else key, number.rstrip("./-")))
    return found
