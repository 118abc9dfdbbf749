"""Titles: how alike they are as text, which words stand on one side only, numbers and parts."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import chain, pairwise

from rapidfuzz import fuzz
from rapidfuzz.distance import OSA

from harvester.match.comparing import comparison
from harvester.match.comparisons.identifiers import meet
from harvester.match.titles import spelled
from harvester.model import Profile
from harvester.text import is_latin, significant

# Titles with more differing words than this have no typing errors but other words.
MOST_TYPING_ERRORS = 5
# So many significant words before a mark of omission identify a title.
HEAD = 5
# Records in this language have other wordings of their own title for variants.
ENGLISH = ("eng",)
# So many words that stand on one side only are many.
MANY = 3
# A subtitle of so many words has none to spare: another word is another volume.
SHORT = 3
# So many words tell a piece of music, whatever their order.
MUSIC_WORDS = 3
# Words of other endings begin with so many equal letters.
STEM = 5


@comparison(3, "equal spelling romanized equal_generic variant shorter near half far", both="proper", shows="title")
def title(left: Profile, right: Profile) -> str:
    """The title proper, or the whole title where partners divide it otherwise.

    equal_generic: equal, but says little (Matematika, Report); spelling: equal in the key of old and new spelling;
    romanized: equal consonants of an Arabic title;
    variant: one is a variant title of the other; shorter: one ends where the other goes on with a subtitle.
    """
    if left.proper == right.proper or left.title == right.title or _run_together(left, right):
        return "equal_generic" if left.generic or right.generic else "equal"
    if left.words and left.words == right.words:
        return "spelling"
    if left.skeleton and left.skeleton == right.skeleton:
        return "romanized"
    if _is_variant(left, right):
        return "variant"
    return _distance(left, right)


def _is_variant(left: Profile, right: Profile) -> bool:
    """Whether one side's title is a variant of the other's, or both give one title in script (880)."""
    mine, theirs = left.variants, right.variants
    if theirs and (left.title in theirs or left.proper in theirs):
        return True
    if mine and (right.title in mine or right.proper in mine):
        return True
    if mine and theirs:
        for one in mine:
            if one in theirs and not is_latin(one):
                return True
    return False


def _one_word_each(left: Profile, right: Profile) -> bool:
    """Whether both are a word and a subtitle (Suisse : carte routière, Schweiz : Velokarte) and parted by the latter.

    Of a map one of them may be the word alone.
    """
    for one in (left, right):
        if " " in one.proper or (one.title == one.proper and one.material != "map"):
            return False
    return left.title not in right.variants and right.title not in left.variants


def scripts_differ(left: Profile, right: Profile) -> bool:
    """Whether one title is in Latin letters and the other in script."""
    return is_latin(left.title) != is_latin(right.title)


def _run_together(left: Profile, right: Profile) -> bool:
    """Whether the titles are the same but for blanks."""
    mine, theirs = left.title, right.title
    if not mine or not theirs or mine[-1] != theirs[-1]:
        return mine == theirs
    return mine.replace(" ", "") == theirs.replace(" ", "")


# A record is compared with several others.
_set = lru_cache(maxsize=8_000)(frozenset[str])


@lru_cache(maxsize=8_000)
def _any_of(*several: tuple[str, ...]) -> frozenset[str]:
    return frozenset(chain(*several))


def _distance(left: Profile, right: Profile) -> str:
    if left.title[:3] == right.title[:3] and _begins(*sorted((left.title, right.title), key=len)):
        return "shorter"
    ratio = max(fuzz.ratio(left.proper, right.proper), fuzz.ratio(left.title, right.title))
    if ratio >= 90:
        return "near"
    return "half" if ratio >= 70 or _same_music(left, right) else "far"


def _same_music(left: Profile, right: Profile) -> bool:
    """Whether all words of one title of a score stand in the other: Concerto, B minor, for cello; Cello concerto in B
    minor.
    """
    if left.material != "score" or right.material != "score":
        return False
    short, long = sorted((left.words, right.words), key=len)
    return len(short) >= MUSIC_WORDS and set(short) <= set(long)


def _begins(short: str, long: str) -> bool:
    """Whether *long* begins with the words of *short*, wherever either of them has blanks."""
    if long.startswith(short + " "):
        return True
    head, so_far = short.replace(" ", ""), ""
    for word in long.split():
        so_far += word
        if not head.startswith(so_far):
            return False
        if len(so_far) == len(head):
            return True
    return False


@comparison(2, "same typo extra omission ending one short two many", both="words", shows="title", dear=True)
def words(left: Profile, right: Profile) -> str:
    """Significant title words that stand on one side only, those of names, series and typing errors forgiven.

    Under one title proper so are those of a parallel or variant title of the other side.

    extra: only one side has more; omission: alike up to a mark of omission (...), behind which nothing is told;
    one, two, many: so many words of each side have no counterpart; ending: one, and it begins alike (biography,
    biographical); short: one, and the subtitles are so short that it names the volume (the Middle Ages, the Baroque).
    """
    if left.words == right.words or (left.skeleton and left.skeleton == right.skeleton):
        return "same"
    ours, others = _set(left.words), _set(right.words)
    mine, theirs = _without(left.words, others), _without(right.words, ours)
    if not mine or not theirs:
        return "extra" if mine or theirs else "same"
    if (_is_variant(left, right) and not _one_word_each(left, right)) or _run_together(left, right):
        return "same"
    if "".join(mine) == "".join(theirs):
        return "typo"
    mine, theirs, errors = _without_typing_errors(mine, theirs)
    mine, theirs = _unforgiven(mine, right), _unforgiven(theirs, left)
    count = _fewer(mine, theirs)
    if count and left.proper == right.proper and not (left.languages == right.languages == ENGLISH):
        mine, theirs = _untranslated(mine, right), _untranslated(theirs, left)
        count = _fewer(mine, theirs)
    if 0 < count < MANY:
        mine, theirs = _uncompounded(_unwritten(mine, right), _unwritten(theirs, left))
        count = _fewer(mine, theirs)
    if count and (left.open_at or right.open_at) and _omitted(left, right):
        return "omission"
    if count == 1 and len(mine) == len(theirs) and mine[0][:STEM] == theirs[0][:STEM]:
        return "ending"
    if count == 1 and left.proper == right.proper and _subtitle(left) <= SHORT and _subtitle(right) <= SHORT:
        return "short"
    if count:
        return ("one", "two")[count - 1] if count < MANY else "many"
    if errors:
        return "typo"
    return "extra" if mine or theirs else "same"


def _fewer(mine: list[str], theirs: list[str]) -> int:
    """The smaller count: a call of min takes three times as long."""
    few, many = len(mine), len(theirs)
    return few if few < many else many


def _subtitle(one: Profile) -> int:
    """How many words the subtitle has."""
    return len(one.title.split()) - len(one.proper.split())


def _omitted(left: Profile, right: Profile) -> bool:
    """Whether the titles, one of which leaves something out, are word by word the same up to there."""
    head = left.title.split()[: min(left.open_at or right.open_at, right.open_at or left.open_at)]
    return len(significant(head)) >= HEAD and head == right.title.split()[: len(head)]


def _unforgiven(words: list[str], other: Profile) -> list[str]:
    """*words* but those of names and series of *other*; a map is by an office, whose name tells its subject."""
    if not words or other.material == "map":
        return words
    known = _any_of(other.responsibility, other.names, other.series)
    return words if known.isdisjoint(words) else _without(words, known)


def _without(words: Iterable[str], others: frozenset[str]) -> list[str]:
    """Those of *words* that are none of *others*, in order; a loop takes two thirds of the time of a comprehension."""
    kept = []
    for word in words:
        if word not in others:
            kept.append(word)
    return kept


def _untranslated(words: list[str], other: Profile) -> list[str]:
    """*words* but those of a parallel title or subtitle of *other*."""
    elsewhere = {spelled(word) for title in other.variants for word in title.split()}
    return [word for word in words if word not in elsewhere]


_FIGURES = {
    spelled(word): str(number)
    for line in (
        "two three four five six seven eight nine ten",
        "zwei drei vier funf sechs sieben acht neun zehn",
        "deux trois quatre cinq six sept huit neuf dix",
        "due tre quattro cinque sei sette otto nove dieci",
        "dos tres cuatro cinco seis siete ocho nueve diez",
    )
    for number, word in enumerate(line.split(), start=2)
}


def _unwritten(words: list[str], other: Profile) -> list[str]:
    """*words* but numbers that *other* has in figures: in zwei Akten, in 2 Akten."""
    if not other.numbers or _FIGURES.keys().isdisjoint(words):
        return words
    return [word for word in words if _FIGURES.get(word) not in other.numbers]


def _uncompounded(mine: list[str], theirs: list[str]) -> tuple[list[str], list[str]]:
    """The words without those that the other side writes in two: Weihnachtsoratorium, Weihnachts-Oratorium."""
    if theirs < mine:  # what one side has lost the other can not find in it: the order must not be that of the sides
        theirs, mine = _uncompounded(theirs, mine)
        return mine, theirs
    for one, two in ((mine, theirs), (theirs, mine)):
        if len(two) < 2 or not any(map("".join(two).__contains__, one)):
            continue
        for first, second in pairwise(list(two)):
            if first + second in one:
                one.remove(first + second)
                two[:] = [word for word in two if word not in (first, second)]
    return mine, theirs


def _without_typing_errors(mine: list[str], theirs: list[str]) -> tuple[list[str], list[str], int]:
    """The words of each side that are no typing error of one on the other side, and how many are.

    A name in a title may be misspelled where the statement of responsibility is not (Wordworth by Wordsworth), so
    that typing errors are looked for before names are forgiven.
    """
    if _fewer(mine, theirs) > MOST_TYPING_ERRORS:
        return mine, theirs, 0
    swapped = theirs < mine
    left, right = (theirs, mine) if swapped else (mine, theirs)
    heads = {word[0] for word in right}
    remaining, unmatched = list(right), []
    for word in left:
        if word[0] in heads and (partner := _mistyped(word, remaining)):
            remaining.remove(partner)
        else:
            unmatched.append(word)
    errors = len(left) - len(unmatched)
    return (remaining, unmatched, errors) if swapped else (unmatched, remaining, errors)


def _mistyped(word: str, others: list[str]) -> str:
    """The first of *others* that begins as *word* does and is alike; "" when there is none."""
    head = word[0]
    for other in others:
        if head == other[0] and alike(word, other):
            return other
    return ""


def alike(left: str, right: str) -> bool:
    """Whether two spelled words are one word with a typing error or another ending."""
    few, many = len(left), len(right)
    if few > many:
        left, right, few, many = right, left, many, few
    gap = many - few
    if gap > 2:
        return False
    if few >= 3 and left in right and right.startswith(left):
        return True
    if many < 5 and not (few == many == 4 and left[::3] == right[::3]):
        return False
    if not gap and many > 5 and left[1] == right[1] and left[0] == right[0] and sorted(left) == sorted(right):
        return True
    allowed = 1 if few < 9 else 2
    return gap <= allowed and bool(OSA.distance(left, right, score_cutoff=allowed) <= allowed)


@comparison(2, "equal one_side misprint different", either="numbers")
def numbers(left: Profile, right: Profile) -> str:
    """Numbers in the title that are not the number of a part; `different` when each side has one of its own.

    misprint: of several on each side all but one are equal, and those differ in one of three digits and more:
    1660-1714, 1600-1714. One number alone may be that of a volume.
    """
    if left.numbers == right.numbers:
        return "equal" if left.numbers else "missing"
    mine = [number for number in left.numbers if number not in right.numbers]
    theirs = [number for number in right.numbers if number not in left.numbers]
    if not mine or not theirs:
        return "one_side"
    several = len(left.numbers) == len(right.numbers) > 1
    return "misprint" if several and len(mine) == 1 and _one_digit(mine[0], theirs[0]) else "different"


def _one_digit(left: str, right: str) -> bool:
    return len(left) == len(right) >= 3 and OSA.distance(left, right, score_cutoff=1) <= 1


def _names_apart(mine: tuple[str, ...], theirs: tuple[str, ...]) -> bool:
    """Whether some name of *mine* has no counterpart in *theirs*."""
    for one in mine:
        if one in theirs:
            continue
        for other in theirs:
            if _same_name(one, other):
                break
        else:
            return True
    return False


@lru_cache(maxsize=8_000)  # the parts of a series are compared each with each
def _same_name(one: str, other: str) -> bool:
    if fuzz.ratio(one, other, score_cutoff=85):
        return True
    mine, theirs = set(one.split()), set(other.split())
    return mine <= theirs or theirs <= mine


@comparison(2, "equal overlap one_side set different", either="parts")
def parts(left: Profile, right: Profile) -> str:
    """Part numbers; `set` when one side is a volume and the other the whole work in several volumes."""
    mine, theirs = left.parts, right.parts
    if mine == theirs:
        return ("set" if _one_of_several(left, right) else "equal") if mine else "missing"
    if mine and theirs:
        short, long = sorted((mine, theirs), key=len)
        return "overlap" if long[: len(short)] == short else "different"
    part, whole = (left, right) if mine else (right, left)
    if part.parts == ("1",) and whole.numbers == ("1",):
        return "equal"
    if whole.volumes > 1 and part.volumes <= 1 and not _whole_range(part.parts, whole.volumes):
        return "set"
    return "different" if whole.numbers and not meet(whole.numbers, part.parts) and not part.numbers else "one_side"


def _whole_range(parts: tuple[str, ...], volumes: int) -> bool:
    """Whether "Jilid 1-3" is all of three volumes."""
    return len(parts) == 1 and parts[0] == f"1-{volumes}"


def _one_of_several(left: Profile, right: Profile) -> bool:
    """Whether one side counts pages and the other several volumes: "Dobro došli 1" in 279 pages and in 2 parts."""
    one, several = (left, right) if left.volumes < right.volumes else (right, left)
    return several.volumes > 1 and one.volumes <= 1 and one.pages > 0


@comparison(2, "equal alike in_title one_side different", either="part_names")
def part_names(left: Profile, right: Profile) -> str:
    """Names of parts; `in_title` when the other side has the name inside its title."""
    mine, theirs = left.part_names, right.part_names
    if mine == theirs:
        return "equal" if mine else "missing"
    if len(mine) == len(theirs) == 1:
        return "alike" if _same_name(mine[0], theirs[0]) else "different"
    if mine and theirs:
        return "different" if _names_apart(mine, theirs) and _names_apart(theirs, mine) else "alike"
    named, other = (left, right) if mine else (right, left)
    return "in_title" if all(name in other.title for name in named.part_names) else "one_side"
