"""The parsers of hostile input as targets of atheris, for as long as one likes.

    pip install atheris
    python -m tests.fuzz oai -max_total_time=3600 FOLDER_OF_CAPTURES

A target takes bytes and raises nothing but what its parser promises; CI calls each with a few hundred mutants
(test_fuzz.py), and the mutation tests of each parser with tens of thousands.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from contextlib import suppress

from harvester.errors import IndukError
from harvester.formats.iso2709 import parse
from harvester.formats.iso2709_split import split
from harvester.formats.span import Span
from harvester.sources import cql, sru_response
from harvester.sources.oai_page import read_page
from harvester.sources.oai_xml import Unreadable, read
from harvester.sources.z3950 import apdu, ber, pqf


def oai(data: bytes) -> None:
    with suppress(IndukError, Unreadable):
        read_page(read(data, "ListRecords"), "ListRecords", 4 << 20)


def sru(data: bytes) -> None:
    with suppress(IndukError):
        sru_response.read(data, "", "fuzz")


def z3950(data: bytes) -> None:
    with suppress(IndukError):
        end = ber.Frame(1 << 20).end(data)
        apdu.present_answer(data if end is None else data[:end], 500)


def cql_query(data: bytes) -> None:
    with suppress(IndukError):
        query = cql.parse(data.decode("utf-8", "replace"))
        assert cql.parse(cql.build(query)) == query


def pqf_query(data: bytes) -> None:
    with suppress(IndukError):
        query = pqf.parse(data.decode("utf-8", "replace"))
        assert pqf.parse(pqf.build(query)) == query


def iso2709(data: bytes) -> None:
    for one in split(io.BytesIO(data)):
        if isinstance(one, Span):
            with suppress(IndukError):
                parse(one.payload)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "oai": oai,
    "sru": sru,
    "z3950": z3950,
    "cql": cql_query,
    "pqf": pqf_query,
    "iso2709": iso2709,
}


def main() -> None:
    import atheris  # pip install atheris; no dependency of ours

    atheris.instrument_all()
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
