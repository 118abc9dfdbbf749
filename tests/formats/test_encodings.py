"""The labelled corpus of charsets: every reading right, every change flagged, no false repair."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from harvester.formats.encodings import decode_bodies, decode_text, undouble
from harvester.yaml_file import read
from tests.formats.charsets import written

FILES = [read(Path(__file__).with_name(name)).value for name in ("encodings.yaml", "encodings_unseen.yaml")]
CORPUS: dict[str, list[Any]] = {kind: [case for one in FILES for case in one.get(kind, ())] for kind in FILES[1]}
KNOWN_WRONG = pytest.mark.xfail(strict=True, reason="known: three letters between two marks are no evidence")
BYTES = [
    pytest.param(case, id=case["label"], marks=[KNOWN_WRONG] if case.get("known_wrong") else [])
    for case in CORPUS["bytes"]
]
READINGS = [(group, label, text) for group in CORPUS["readings"] for label, text in group["cases"]]


def kinds(found: tuple[str, tuple[str, ...]]) -> tuple[str, tuple[str, ...]]:
    """(text, flags without what they tell of the change); a change that is told is one."""
    text, flags = found
    assert all("::" not in flag or flag.partition("::")[2].count(" → ") == 1 for flag in flags)
    return text, tuple(flag.partition("::")[0] for flag in flags)


def test_a_field_is_read_in_the_charset_that_it_is_really_in() -> None:
    wrong = []
    for group, label, text in READINGS:
        read = kinds(decode_text(written(text, group["written"]), group["declared"]))
        if read != (text, tuple(group["flags"])):
            wrong.append((group["group"], label, read))
    assert wrong == []


@pytest.mark.parametrize("case", BYTES)
def test_damaged_bytes_are_read_as_far_as_they_can_be_and_flagged(case: dict[str, Any]) -> None:
    assert kinds(decode_text(bytes.fromhex(case["hex"]), case["declared"])) == (case["text"], tuple(case["flags"]))


@pytest.mark.parametrize(("label", "doubled", "text"), CORPUS["doubled"], ids=[case[0] for case in CORPUS["doubled"]])
def test_double_encoding_is_undone_when_asked_for(label: str, doubled: str, text: str) -> None:
    assert undouble(doubled) == text


@pytest.mark.parametrize(("label", "text"), CORPUS["genuine"], ids=[case[0] for case in CORPUS["genuine"]])
def test_genuine_text_that_looks_doubled_stays_as_it_is(label: str, text: str) -> None:
    assert undouble(text) is None


@pytest.mark.parametrize("case", CORPUS["records"], ids=lambda case: case["label"])
def test_the_fields_of_a_record_are_read_together(case: dict[str, Any]) -> None:
    tags, charsets, texts = zip(*case["fields"], strict=True)
    raws = [b"  \x1fa" + written(text, charset) for text, charset in zip(texts, charsets, strict=True)]
    got, flags = decode_bodies(tags, raws, case["declared"])
    assert got == [f"  \x1fa{text}" for text in texts]
    assert [flag.rpartition(":")[0] for flag in flags] == case["flags"]
    assert all(flag.rpartition(":")[2].count(" → ") == 1 for flag in flags), "every change shows before and after"


def test_double_encoding_is_never_undone_unasked() -> None:
    assert decode_text("misÃ©rables".encode(), "utf8") == ("misÃ©rables", ())


def test_the_corpus_has_at_least_400_cases_and_knows_at_most_one_in_a_hundred_as_wrong() -> None:
    count = len(READINGS) + sum(len(CORPUS[name]) for name in ("bytes", "doubled", "genuine", "records"))
    assert count >= 400
    assert sum(1 for case in CORPUS["bytes"] if case.get("known_wrong")) <= count / 100


def test_flags_name_the_field_and_the_fields_of_a_record_vote_together() -> None:
    # "Sô Paulo" is a good reading of the first field by itself; the second settles the charset of both.
    raws = [b"  \x1faA regi\xe3o", "  \x1faEducação e sociedade em São Paulo".encode("latin-1"), b"plain"]
    texts, flags = decode_bodies(["245", "520", "500"], raws, "marc8")
    assert texts == ["  \x1faA região", "  \x1faEducação e sociedade em São Paulo", "plain"]
    assert flags == (
        r"encoding:latin1-under-marc8:245:regi\xe3o → região",
        r"encoding:latin1-under-marc8:520:Educa\xe7\xe3o → Educação",
    )


def test_a_field_with_escape_sequences_settles_the_charset_of_its_neighbours() -> None:
    raws = [b"  \x1fa\x1b(N7QRP\x1b(B", b"  \x1faS\xe3o"]
    assert decode_bodies(["880", "245"], raws, "marc8")[0][1] == "  \x1faSô"
    assert decode_bodies(["500", "245"], [b"plain", *raws[1:]], "marc8")[0][1] == "  \x1faSão"


def test_short_fields_follow_the_script_of_the_longer_ones() -> None:
    raws = ["  \x1faОсновы расчета".encode("cp1251"), "  \x1fa186 с.".encode("cp1251")]
    assert decode_bodies(["245", "300"], raws, "marc8")[0] == ["  \x1faОсновы расчета", "  \x1fa186 с."]


def test_a_long_field_is_read_whole_in_the_charset_of_its_beginning() -> None:
    sentence = "Histoire générale de l'école française. "
    for charset in ("latin1", "marc8"):
        raw = written(sentence, charset) * 50_000
        started = time.process_time()
        assert decode_text(raw, "marc8")[0] == sentence * 50_000
        assert time.process_time() - started < 10


def test_fields_of_one_record_may_be_in_different_charsets() -> None:
    raws = ["  \x1faUniversité".encode(), "  \x1faHistoire générale".encode("latin-1")]
    texts, flags = decode_bodies(["245", "500"], raws, "utf8")
    assert texts == ["  \x1faUniversité", "  \x1faHistoire générale"]
    assert flags == (r"encoding:latin1-under-utf8:500:g\xe9n\xe9rale → générale",)
