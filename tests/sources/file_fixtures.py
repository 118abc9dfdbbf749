"""Small files of records for the tests of the file source, and a quick way to harvest them."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from harvester.clock import SystemClock
from harvester.model import Damage, HarvestedRecord, Page, Source, Window
from harvester.sources import Environment
from harvester.sources.files import open_files, open_paths
from tests import canaries

TITLES = [
    ("b1", "Toer, Pramoedya Ananta", "Bumi manusia"),
    ("b2", "Hirata, Andrea", "Laskar pelangi"),
    ("b3", "Rendra", "Blues untuk Bonnie"),
    ("b4", "Chudori, Leila S.", "Laut bercerita"),
    ("b5", "Mangunwijaya, Y.B.", "Burung-burung manyar"),
]


def marc(identifier: str, author: str = "Rendra", title: str = "Potret pembangunan dalam puisi", pad: int = 0) -> bytes:
    """One ISO 2709 record; more than 99,999 bytes get the length 99999, as real systems write it."""
    fields = [
        ("001", identifier.encode()),
        ("100", b"1 \x1fa" + author.encode()),
        ("245", b"10\x1fa" + title.encode()),
    ]
    fields += [("520", b"  \x1fa" + b"ringkasan " * 900)] * (pad // 9000)
    directory, body = b"", b""
    for tag, raw in fields:
        raw += b"\x1e"
        directory += f"{tag}{len(raw):04}{min(len(body), 99999):05}".encode()
        body += raw
    base = 24 + len(directory) + 1
    length = base + len(body) + 1
    leader = f"{min(length, 99999):05}nam a22{base:05}   4500".encode()
    return leader + directory + b"\x1e" + body + b"\x1d"


def marc_file(count: int = 5) -> bytes:
    return b"".join(marc(*TITLES[number]) for number in range(count))


def marcxml_file() -> bytes:
    records = "".join(
        f'<record><leader>00000nam a2200000   4500</leader><controlfield tag="001">{identifier}</controlfield>'
        f'<datafield tag="245" ind1="1" ind2="0"><subfield code="a">{title}</subfield></datafield></record>'
        for identifier, _, title in TITLES
    )
    return f'<?xml version="1.0"?><collection xmlns="http://www.loc.gov/MARC21/slim">{records}</collection>'.encode()


def zipped(**files: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return target.getvalue()


def tarred(**files: bytes) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name.replace("__", "."))
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return target.getvalue()


def source(url: str | Path, **options: Any) -> Source:
    known = canaries.credentials("files")
    return Source(code="uji", protocol="files", url=str(url), options=options, internal=True, credentials=known)


def drop(folder: Path, name: str, content: bytes, age: float = 3600) -> Path:
    """Put a file into a watched folder as if it had been there for *age* seconds."""
    path = folder / name
    path.write_bytes(content)
    when = SystemClock().now().timestamp() - age
    os.utime(path, (when, when))
    return path


def harvest(url: str | Path, token: str = "", learned: dict[str, str] | None = None, **options: Any) -> list[Page]:
    environment = Environment(clock=SystemClock(), learned=learned or {})
    return list(open_files(source(url, **options), environment).pages(Window(token=token)))


def read(raw: bytes, folder: Path, name: str = "uji.mrc", **options: Any) -> list[Page]:
    """The pages of one file of the bytes *raw*."""
    path = folder / name
    path.write_bytes(raw)
    environment = Environment(clock=SystemClock())
    return list(open_paths(source("", **options), environment, [path]).pages(Window()))


def records(pages: list[Page]) -> list[HarvestedRecord]:
    return [record for page in pages for record in page.records]


def damages(pages: list[Page]) -> list[Damage]:
    return [damage for page in pages for damage in page.damages]


def flags(pages: list[Page]) -> list[str]:
    return [flag for page in pages for flag in page.flags]


def learned(pages: list[Page]) -> dict[str, str]:
    pairs = (flag.removeprefix("learned:").partition("=") for flag in flags(pages) if flag.startswith("learned:"))
    return {name: value for name, _, value in pairs}
