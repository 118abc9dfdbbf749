"""video_format."""

from __future__ import annotations

from harvester.normalize.functions import functions

_FORMATS = {"b": "vhs", "g": "laserdisc", "s": "bluray", "v": "dvd"}


@functions.register("video_format")
def video_format(value: str) -> list[tuple[str, str]]:
    """The format of a video recording out of a field 007 (position 4).

    >>> video_format("vd csaizq"), video_format("vd cvaizq"), video_format("cr")
    ([('video_format', 'bluray')], [('video_format', 'dvd')], [])
    """
    found = _FORMATS.get(value[4:5], "") if value[:1] == "v" else ""
    return [("video_format", found)] if found else []
