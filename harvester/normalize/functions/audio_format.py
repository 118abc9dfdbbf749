"""audio_format."""

from __future__ import annotations

import re

from harvester.normalize.functions import functions

_TOLD = (
    ("mp3", re.compile(r"\bMP ?3\b", re.IGNORECASE)),
    ("lp", re.compile(r"33 ?1/3|(?:45|78) rpm|(?<![0-9/] )\b12 in|\b30 cm", re.IGNORECASE)),
    ("cd", re.compile(r"\bCDs?\b|compact disc|4 3/4 in|\b12 cm", re.IGNORECASE)),
    ("cassette", re.compile(r"1 7/8 ips|3 7/8 x 2 1/2 in", re.IGNORECASE)),
)
_CODED = {"d": {"a": "lp", "b": "lp", "c": "lp", "d": "lp", "e": "lp", "f": "cd"}, "s": {"l": "cassette"}}


@functions.register("audio_format")
def audio_format(value: str) -> list[tuple[str, str]]:
    """The format of a sound recording out of a field 007 (positions 1 and 3) or of 300 $b or $c.

    >>> audio_format("sd fsngnnmmned"), audio_format("analog, 33 1/3 rpm, stereo"), audio_format("4 3/4 in.")
    ([('audio_format', 'cd')], [('audio_format', 'lp')], [('audio_format', 'cd')])
    """
    found = _CODED.get(value[1:2], {}).get(value[3:4], "") if re.match("s[a-z][ |a-z]", value) else ""
    found = found or next((name for name, pattern in _TOLD if pattern.search(value)), "")
    return [("audio_format", found)] if found else []
