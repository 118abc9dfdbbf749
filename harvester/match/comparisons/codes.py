"""Coded statements: material, level, carrier form, language, score format, country, thesis, host."""

from __future__ import annotations

from harvester.match.comparing import comparison
from harvester.match.comparisons.identifiers import meet
from harvester.match.tongues import languages
from harvester.model import Profile

# What one cataloguer calls a book another calls a thesis, a school book or an electronic text.
_KINDS = {
    "book": "text",
    "thesis": "text",
    "schoolbook": "text",
    "manuscript": "text",
    "article": "part",
    "part": "part",
    "electronic": "",
    "other": "",
    "kit": "",
}
_PLAIN = frozenset(("print", "tangible"))  # what a silent record most likely is
_CONTENT_FREE = frozenset(("electronic", "online"))


@comparison(0, "equal alike unsure different", shows="material")
def material(left: Profile, right: Profile) -> str:
    """`alike` where both words are used for one thing; serials, scores, recordings, films and maps part.

    unsure: one source calls nearly all its records so, but one of the two has pages and the other has none.
    """
    assumed = left.assumed or right.assumed
    if left.material == right.material:
        return "missing" if assumed else "equal"
    mine, theirs = _KINDS.get(left.material, left.material), _KINDS.get(right.material, right.material)
    if mine == theirs or not mine or not theirs:
        return "missing" if assumed else "alike"
    if assumed:  # a film that is called a book has no pages; a book has
        return "unsure" if bool(left.pages) != bool(right.pages) else "missing"
    return "different"


@comparison(0, "equal different", both="level")
def level(left: Profile, right: Profile) -> str:
    """Monograph, serial or part of a host."""
    return "equal" if left.level == right.level else "different"


@comparison(0, "equal alike one_side unsure different", either="form")
def form(left: Profile, right: Profile) -> str:
    """Print, online, micro, braille, large print, a film on disc or tape (tangible).

    one_side: one record is silent and the other is neither print nor tangible;
    unsure: they differ, but one source says the same of nearly all its records.
    """
    mine, theirs = left.form, right.form
    assumed = left.form_assumed or right.form_assumed
    if mine == theirs:
        return "equal" if mine and not assumed else "missing"
    if not mine or not theirs:
        return "missing" if assumed or (mine or theirs) in _PLAIN else "one_side"
    if mine in _CONTENT_FREE and theirs in _CONTENT_FREE:
        return "alike"
    return "unsure" if assumed else "different"


@comparison(1, "equal overlap titled unsure different", both="languages")
def language(left: Profile, right: Profile) -> str:
    """The languages of the text.

    unsure: none is shared, but one source says the same of nearly all its records; titled: so it does, and the title is
    in the language of the other record.
    """
    assumed = left.language_assumed or right.language_assumed
    if left.languages == right.languages:
        return "missing" if assumed else "equal"
    if meet(left.languages, right.languages):
        return "missing" if assumed else "overlap"
    if not assumed:
        return "different"
    return "titled" if _titled(left, right) or _titled(right, left) else "unsure"


def _titled(assumed: Profile, other: Profile) -> bool:
    """Whether the title of a record whose language counts for nothing is in that of the other, not in its own."""
    if not assumed.language_assumed:
        return False
    told = languages(assumed.title)
    return not told.isdisjoint(other.languages) and told.isdisjoint(assumed.languages)


@comparison(0, "equal different", both="score_format")
def score_format(left: Profile, right: Profile) -> str:
    """Full score, vocal score, parts …"""
    mine, theirs = left.score_format.split(), right.score_format.split()
    return "different" if frozenset(mine).isdisjoint(theirs) else "equal"


@comparison(1, "equal different", both="country")
def country(left: Profile, right: Profile) -> str:
    """The country of publication."""
    return "equal" if left.country == right.country else "different"


@comparison(0, "present", either="thin")
def thin(left: Profile, right: Profile) -> str:
    """`present` when a record has no identifier, no author and no year."""
    return "present" if left.thin or right.thin else "missing"


@comparison(2, "equal different", both="host", shows="host host_part")
def host(left: Profile, right: Profile) -> str:
    """The host of a part and the place in it."""
    if left.host_part and right.host_part and left.host_part != right.host_part:
        return "different"
    short, long = sorted((left.host, right.host), key=len)
    return "equal" if long.startswith(short) else "different"


@comparison(2, "equal overlap one_side companion different", either="extra")
def extra(left: Profile, right: Profile) -> str:
    """Grade, semester, curriculum, user (siswa, guru), scale …: compared within their kind.

    companion: one side alone is an answer key, a workbook, a study guide or a commentary.
    """
    if left.extra == right.extra:
        return "equal" if left.extra else "missing"
    mine = dict(value.split(":", 1) for value in left.extra)
    theirs = dict(value.split(":", 1) for value in right.extra)
    if any(kind in theirs and theirs[kind] != value for kind, value in mine.items()):
        return "different"
    if ("companion" in mine) != ("companion" in theirs):
        return "companion"
    return "overlap" if mine.keys() & theirs.keys() else "one_side"
