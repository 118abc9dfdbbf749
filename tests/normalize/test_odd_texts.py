"""No text, however odd, holds a harvest up: repeated pieces must not be read in a million ways."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harvester.model import Contributor, Publication, Title
from harvester.normalize import materials
from harvester.normalize.calls import signature_of
from harvester.normalize.functions import functions

PIECES = (
    *"1aIi .,[(-/;:éب\n",
    *(
        "1 ",
        "a ",
        "A.",
        "1,",
        "1-",
        "[1",
        "(a",
        "Dr. ",
        "S.Pd.",
        "ed ",
        "cet ",
        "vol ",
        "hlm ",
        "2 ed ",
        "v. ",
        "x1",
        "0-",
    ),
)
READERS = {"publisher_apart": Publication, "split_part": Title, "split_title": Title, "titles_apart": Contributor}


def readers() -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Every mapping function that gets one text and needs no argument; of a noun, its first part."""
    for name in functions.names():
        signature = signature_of(name)
        needed = [one for one in signature.parameters.values() if one.default is inspect.Parameter.empty]
        if signature.fed == "value" and not needed:
            yield name, functions.get(name)
    for name, noun in READERS.items():
        yield name, lambda text, name=name, noun=noun: functions.get(name)(noun(text))
    yield "extent", lambda text: functions.get("extent")(text=text, size=text)
    yield from (
        (one.__name__, one) for one in (materials.says_thesis, materials.says_schoolbook, materials.tells_place)
    )


# All together take two seconds; one that reads "1111…" in every way takes longer than there are stars.
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("name", "read"), [pytest.param(*one, id=one[0]) for one in readers()])
def test_no_repetition_takes_long(name: str, read: Callable[[Any], Any]) -> None:
    for piece in PIECES:
        for size in (40, 2000):
            read(piece * (size // len(piece)) + " zz!")
