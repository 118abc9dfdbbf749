"""unbracket."""

from __future__ import annotations

import re
from functools import lru_cache

from harvester.normalize.functions import functions

_UNKNOWN = re.compile(
    r"(?:s\.+ ?[lnad]\.?|t\. ?[tp]\.?|t\. ?th\.?|n\. ?[dp]\.?|s\. ?n\.?|tanpa (?:tempat|penerbit|tahun)"
    r"|place of publication not identified|publisher not identified|date of publication not identified"
    r"|(?:tempat|kota|tanggal|tahun|penerbit)(?: (?:terbit|penerbit(?:an)?))?"
    r" tidak (?:diketahui|teridentifikasi|disebutkan)"
    r"|(?:verlag|(?:erscheinungs)?ort) nicht ermittelbar|(?:uitgever|plaats) (?:onbekend|niet vastgesteld)"
    r"|(?:éditeur|lieu de publication) non identifié|(?:editor|lugar de publicación) no identificado"
    r"|(?:publisher|place) unknown"
    r"|place not identified|n\. ?pub\.?|(?:اسم )?(?:ال)?ناشر غير معروف|(?:مكان )?(?:ال)?نشر غير معروف|د\. ?[نم]\.?|-+)",
    re.IGNORECASE,
)
_AND_OTHERS = re.compile(r"\s*\[(?:etc|u\.\s?a|et al|dll|dkk)\.?\]\.?$", re.IGNORECASE)


@functions.register("unbracket")
@lru_cache(maxsize=4096)
def unbracket(value: str) -> str:
    """The text without square brackets and question mark; nothing where it says that the fact is unknown.

    >>> unbracket("[Jakarta?]"), unbracket("[S.l.]"), unbracket("[t.p.]"), unbracket("London [u.a.]")
    ('Jakarta', '', '', 'London')
    >>> unbracket("[penerbit tidak teridentifikasi]"), unbracket("[Verlag nicht ermittelbar]")
    ('', '')
    """
    if value.isalpha():
        return value
    if value.endswith(("]", "].")):
        value = _AND_OTHERS.sub("", value)
    text = value.replace("[", "").replace("]", "").replace("?", "").strip(" :;,/،")
    return "" if _UNKNOWN.fullmatch(text) else text
