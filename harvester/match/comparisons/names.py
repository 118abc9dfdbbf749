"""Names: the first author, everyone in the statement of responsibility, the degree institution."""

from __future__ import annotations

from rapidfuzz import fuzz

from harvester.match.comparing import comparison
from harvester.match.comparisons.identifiers import meet
from harvester.match.comparisons.titles import alike
from harvester.model import Profile


@comparison(3, "nobody one_side equal body alike found namesake different", shows="author")
def author(left: Profile, right: Profile) -> str:
    """The first author, whatever the order of the words of a name (never a surname: Indonesian names have none).

    nobody: neither side names one, so that the title has to carry more; body: the same corporate body or meeting, which
    names thousands of titles; alike: initials, a name left out or a typing error; found: named there, but not first;
    namesake: the same name with another year of birth.
    """
    mine, theirs = left.author, right.author
    if not mine or not theirs:
        return _unnamed(left, right)
    if left.born and right.born and abs(left.born - right.born) > 1:
        return "namesake"
    if mine == theirs or sorted(mine) == sorted(theirs):
        return "equal" if left.author_kind == right.author_kind == "person" else "body"
    if names_alike(mine, theirs):
        return "alike"
    if "person" not in (left.author_kind, right.author_kind) and _bodies_alike(mine, theirs):
        return "body"
    if _found(left, right) or _found(right, left):
        return "found"
    return "different"


def _unnamed(left: Profile, right: Profile) -> str:
    """One side has no author: perhaps its statement of responsibility names the other's."""
    if not left.author and not right.author:
        return "nobody"
    named, other = (left, right) if left.author else (right, left)
    if _found(named, other):
        return "found"
    return "different" if other.responsibility and named.author_kind == "person" else "one_side"


def _found(named: Profile, other: Profile) -> bool:
    """Whether the entry word of the first author (all words, where no comma tells it) is named on the other side."""
    return bool(named.entry) and all(word in other.names or word in other.responsibility for word in named.entry)


def names_alike(left: tuple[str, ...], right: tuple[str, ...]) -> bool:
    """Whether every word of the shorter name has a counterpart: the word, its initial, or a typing error of it."""
    shorter, longer = sorted((left, right), key=lambda name: (len(name), name))
    remaining = list(longer)
    whole = 0
    for word in sorted(shorter, key=lambda word: (-len(word), word)):
        partner = _counterpart(word, remaining)
        if partner is None:
            return False
        remaining.remove(partner)
        whole += len(word) > 1 and len(partner) > 1
    return whole > 0


def _bodies_alike(left: tuple[str, ...], right: tuple[str, ...]) -> bool:
    """Whether every word of the shorter name stands in the longer, whole or contracted (Dept., Co., Bros.)."""
    shorter, longer = sorted((left, right), key=lambda name: (len(name), name))
    remaining = list(longer)
    for word in sorted(shorter, key=lambda word: (-len(word), word)):
        partner = _counterpart(word, remaining) or next((one for one in remaining if _contracted(word, one)), None)
        if partner is None:
            return False
        remaining.remove(partner)
    return len(shorter) > 1


LONGEST_CONTRACTION = 5


def _contracted(left: str, right: str) -> bool:
    """Whether the shorter word has, in their order, letters of the longer, from its first on: dept, department."""
    short, long = sorted((left, right), key=lambda word: (len(word), word))
    if len(short) > LONGEST_CONTRACTION or short[0] != long[0]:
        return False
    letters = iter(long)
    return all(letter in letters for letter in short)


def _counterpart(word: str, candidates: list[str]) -> str | None:
    if word in candidates:
        return word
    for other in candidates:
        if (len(word) == 1 or len(other) == 1) and word[0] == other[0]:
            return other
    return next((other for other in candidates if len(other) > 1 and alike(word, other)), None)


@comparison(3, "shared different", both="responsibility")
def responsibility(left: Profile, right: Profile) -> str:
    """Whether the statements of responsibility have a significant word in common."""
    if meet(left.responsibility, right.responsibility):
        return "shared"
    if meet(left.responsibility, right.names) or meet(right.responsibility, left.names):
        return "shared"
    return "different"


@comparison(0, "agree unsure different", shows="author institution")
def thesis(left: Profile, right: Profile) -> str:
    """Author and degree institution of theses, of which near-equal titles are the rule; `unsure` when one is absent.

    A dissertation in the trade is one by its note (502) in some libraries, a book in others: they agree when author,
    pages and ISBN do, or author, pages, year and publisher.
    """
    if left.material != "thesis" and right.material != "thesis":
        return "missing"
    if left.student and left.student == right.student:
        return "agree"
    if not left.author or not right.author:
        return "unsure"
    if not (sorted(left.author) == sorted(right.author) or names_alike(left.author, right.author)):
        return "different"
    if not left.institution or not right.institution:
        return "agree" if left.material != right.material and _in_the_trade(left, right) else "unsure"
    return "agree" if _institutions_alike(left.institution, right.institution) else "different"


def _in_the_trade(left: Profile, right: Profile) -> bool:
    if not left.pages or left.pages != right.pages:
        return False
    return meet(left.isbns, right.isbns) or (left.year == right.year and meet(left.publisher, right.publisher))


def _institutions_alike(left: tuple[str, ...], right: tuple[str, ...]) -> bool:
    """The telling words when both sides have some, the initials otherwise (UGM, Universitas Gadjah Mada)."""
    if len(left) > 1 and len(right) > 1:
        return meet(left[1:], right[1:]) or fuzz.ratio(*sorted((" ".join(left[1:]), " ".join(right[1:])))) > 85
    return left[0] == right[0]
