"""Folding makes two writings of one text equal, and keeps two texts apart."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester import text
from harvester.text import fold, folded_words, is_latin, old_spelling, romanize, significant


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(text).failed == 0


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Al-Qur'an dan terjemahannya", "AL-QURʼĀN DAN TERJEMAHANNYA"),
        ("Großstadt", "GROSSSTADT"),
        ("L’été", "L'ete"),
        ("السيرة النَّبَوِيَّة", "السيرة النبوية"),
        ("Soren Kierkegaard", "Søren Kierkegaard"),
        ("Edisi 2", "Edisi ٢"),
        ("ﬁne arts", "Fine Arts"),
        ("Laskar pelangi :", "Laskar  pelangi /"),
        ("كتـاب", "كتاب"),
    ],
)
def test_two_writings_of_one_text_fold_alike(left: str, right: str) -> None:
    assert fold(left) == fold(right)


@pytest.mark.parametrize(("left", "right"), [("C++ primer", "C primer"), ("C# primer", "C++ primer"), ("ꦲꦏ", "ꦲꦏꦸ")])
def test_two_texts_stay_apart(left: str, right: str) -> None:
    assert fold(left) != fold(right)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Soekarno", "Sukarno"),
        ("Tjipto Mangoenkoesoemo", "Cipto Mangunkusumo"),
        ("Djakarta", "Jakarta"),
        ("jang njata", "yang nyata"),
        ("sjair", "syair"),
        ("achir", "akhir"),
        ("Soerabaja", "Surabaya"),
    ],
)
def test_old_and_new_spelling_meet(old: str, new: str) -> None:
    assert old_spelling(old) == old_spelling(new)


def test_romanize_gives_latin_letters_only() -> None:
    assert romanize("ꦲꦏ꧀ꦱꦫ 数据").isascii()
    assert romanize("Толстой") == "tolstoi"


def test_significant_keeps_a_title_of_stop_words() -> None:
    assert significant(folded_words("To be or not")) == ["be", "not"] or significant(["it", "and", "as"])
    assert significant(folded_words("Di dalam")) == ["di", "dalam"]


def test_a_romanization_with_ayn_is_latin_and_a_script_is_not() -> None:
    assert is_latin("Taʻlīm al-mutaʻallim")
    assert not is_latin("Kitab فتح")


@given(st.text(max_size=60))
def test_folding_twice_changes_nothing_more(value: str) -> None:
    assert fold(fold(value)) == fold(value)


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=60))
def test_the_fast_path_for_ascii_gives_what_the_slow_path_gives(value: str) -> None:
    if "#" in value or "+" in value:
        return
    assert fold(value + " é") == (fold(value) + " e").strip()
