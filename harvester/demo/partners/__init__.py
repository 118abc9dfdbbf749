"""One file for each sample library: how its system words what it holds. Add a partner by copying the shortest.

A file defines `LIBRARY`; `render(copy)` gives the payloads by format (`oai_dc`, `marcxml`, `row`) of one record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from harvester.demo.holdings import Copy
from harvester.demo.quirks import Quirks


class Library(msgspec.Struct, frozen=True, kw_only=True):
    """A sample partner. `letter` is its mark in `titles/*.yaml`; `preset` a preset of `mappings/`, or a layout.

    `quirks` is None where files are sent.
    """

    code: str
    letter: str
    name_id: str
    name_en: str
    type: str
    preset: str
    format: str
    metadata_prefix: str = ""
    quirks: Quirks | None = None
    render: Callable[[Copy], Mapping[str, bytes]]
    sets: Callable[[Copy], tuple[str, ...]] = lambda copy: ()
