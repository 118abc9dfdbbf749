"""Choices that are the same for ever: pure functions of names, so that the sample never changes by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

SEED = "induk-1"
T = TypeVar("T")


def roll(sides: int, *names: object) -> int:
    """A number from 0 to *sides* - 1 that depends on *names* only."""
    text = "|".join([SEED, *map(str, names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") % sides


def pick(options: Sequence[T], *names: object) -> T:
    """One of *options*; repeat an option to make it likelier."""
    return options[roll(len(options), *names)]


def chance(one_in: int, *names: object) -> bool:
    """True once in *one_in* cases."""
    return roll(one_in, *names) == 0
