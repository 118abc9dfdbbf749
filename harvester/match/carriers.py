"""What tells two issues of a score, a film or a recording apart: format of the music, disc or tape, minutes, region."""

from __future__ import annotations

import re

from harvester.model import NormalizedRecord
from harvester.text import fold

# The longer words first: a Klavierpartitur is no Partitur.
_SCORES = (
    ("vocal", r"klavierauszug|klavierauszuge|vocal score|chant et piano|canto e pianoforte"),
    ("study", r"studienpartitur|taschenpartitur|miniature score|study score|partition de poche"),
    ("chorus", r"chorpartitur|chorus score|choral score|partition de choeur"),
    ("condensed", r"condensed score|particell"),
    ("piano", r"klavierpartitur|piano score|partition de piano"),
    ("parts", r"\d+ (?:stimmen|parts|parties|parti)\b|^(?:stimmen|parts|stimmensatz)\b|\bstimmen$|partie separate"),
    ("score", r"partitur|full score|score|partition|partitura|partituur"),
)
_SCORE_PATTERNS = tuple((name, re.compile(pattern)) for name, pattern in _SCORES)
_CARRIERS = (
    ("bluray", re.compile(r"blu ?ray")),
    ("vcd", re.compile(r"\bvcds?\b|video ?cds?\b|video compact dis[ck]")),
    ("dvd", re.compile(r"\bdvd")),
    ("vhs", re.compile(r"\bvhs\b|video ?(?:kassett|cassett|kaset)|kaset video")),
    ("lp", re.compile(r"\blps?\b|schallplatte|33 1 3|vinyl|piringan hitam")),
    ("mp3", re.compile(r"\bmp ?3\b")),
    ("cd", re.compile(r"\bcds?\b|compact dis[ck]|kompaktdisk")),
    # After discs, for a box is a Kassette too.
    ("cassette", re.compile(r"kassett|cassett|\bkaset\b")),
)
_REGION = re.compile(r"\b(?:region(?:al)?|zone|landercode|regionalcode)(?: code)? ([1-6])\b")
_CLOCK = re.compile(r"(?<!\d)([0-9]{2})([0-9]{2})[0-9]{2}(?!\d)")
_HOURS = re.compile(r"\b([0-9]{1,2}) ?(?:h|hr|hrs|hours?|std|jam|heures?)\b(?: ([0-9]{1,2})\b)?")
_MINUTES = re.compile(r"\b([0-9]{1,4}) ?(?:min|mins|minuten|minutes?|menit|minuti|mn)\b")


def score_format(record: NormalizedRecord) -> str:
    """The formats of printed music that the record names, parted by blanks; "" when it names none."""
    if record.material != "score":
        return fold(record.score_format)
    for text in (record.score_format, record.extent.text, record.title.remainder):
        named = _formats(fold(text))
        if named:
            return " ".join(sorted(named))
    return ""


def _formats(text: str) -> set[str]:
    found = set()
    for name, pattern in _SCORE_PATTERNS:
        text, times = pattern.subn(" ", text)
        if times:
            found.add(name)
    return found


_VOICES = (
    ("medium high", r"medium high"),
    ("medium low", r"medium low"),
    ("high", r"high voice|hohe stimme|hoch|voix elevee|voix haute|voce alta|suara tinggi"),
    ("low", r"low voice|tiefe stimme|tief|voix grave|voix basse|voce bassa|suara rendah"),
    ("medium", r"medium voice|mittlere stimme|mittel|voix moyenne|voce media|suara sedang"),
)
_VOICE_PATTERNS = tuple((name, re.compile(rf"\b(?:{pattern})\b")) for name, pattern in _VOICES)


def voice(record: NormalizedRecord) -> str:
    """The voice for which songs are transposed, "" when none is named."""
    text = fold(" ".join((record.title.remainder, *record.title.part_names, record.edition.text)))
    return next((name for name, pattern in _VOICE_PATTERNS if pattern.search(text)), "")


_TANGIBLE = re.compile(
    r"disc|disk|\bcds?\b|\bvcds?\b|\bdvds?\b|\blps?\b|blu ?ray|kassett|cassett|\bkaset|keping|platte|\breels?\b"
)


def form(record: NormalizedRecord) -> str:
    """The carrier form; `tangible` is a film or recording on disc or tape, whatever its record says of print."""
    if record.material not in ("video", "recording") or record.carrier_form not in ("", "print", "electronic"):
        return record.carrier_form
    if record.carrier_form == "print" or _TANGIBLE.search(fold(record.extent.text)):
        return "tangible"
    return record.carrier_form


def marks(record: NormalizedRecord) -> list[str]:
    """kind:value of disc or tape and of the region code of a film or recording, of the voice of a score."""
    if record.material == "score":
        return [f"voice:{named}" for named in (voice(record),) if named]
    if record.material not in ("video", "recording"):
        return []
    told = dict(record.local)
    text = fold(" ".join((record.extent.text, record.edition.text, *(note.text for note in record.notes[:20]))))
    coded = told.get("video_format", "") or told.get("audio_format", "")
    carrier = _carrier(fold(record.extent.text)) or coded or _carrier(text)
    region = _REGION.search(text)
    return [f"carrier:{carrier}"] * bool(carrier) + [f"region:{region[1]}" for region in (region,) if region]


def _carrier(text: str) -> str:
    return next((name for name, pattern in _CARRIERS if pattern.search(text)), "")


def minutes(record: NormalizedRecord) -> int:
    """The playing time of a film or recording, 0 when unknown."""
    if record.material not in ("video", "recording"):
        return 0
    clock = _CLOCK.search(record.playing_time)
    if clock:
        return int(clock[1]) * 60 + int(clock[2])
    for text in (fold(record.playing_time), fold(record.extent.text)):
        hours, found = _HOURS.search(text), _MINUTES.search(text)
        if hours:
            return int(hours[1]) * 60 + int(hours[2] or 0)
        if found:
            return int(found[1])
    return 0
