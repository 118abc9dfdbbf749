"""Files as a source: every format and packing, full sets, deltas, lists of deletions, resuming, re-uploads."""

from __future__ import annotations

import gzip
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from harvester.clock import SystemClock
from harvester.errors import ConfigError, NothingYet, ProtocolError, Refused, SourceUnavailable, TokenExpired
from harvester.model import Window
from harvester.sources import Environment, sources
from harvester.sources.files import open_files, open_paths
from tests.sources.file_fixtures import (
    TITLES,
    damages,
    drop,
    flags,
    harvest,
    learned,
    marc,
    marc_file,
    marcxml_file,
    read,
    records,
    source,
    tarred,
    zipped,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

NAMES = [identifier for identifier, _, _ in TITLES]

MODS = (
    '<modsCollection xmlns="http://www.loc.gov/mods/v3">'
    + "".join(
        f"<mods><titleInfo><title>{title}</title></titleInfo><recordInfo><recordIdentifier>{name}</recordIdentifier>"
        "</recordInfo></mods>"
        for name, _, title in TITLES
    )
    + "</modsCollection>"
).encode()
DUBLIN_CORE = (
    '<records xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    + "".join(
        f"<oai_dc:dc><dc:title>{title}</dc:title><dc:identifier>{name}</dc:identifier></oai_dc:dc>"
        for name, _, title in TITLES
    )
    + "</records>"
).encode()
OAI_ENVELOPE = (
    '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords>'
    + "".join(
        f"<record><header><identifier>{name}</identifier><datestamp>2026-01-01</datestamp></header><metadata>"
        '<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></oai_dc:dc></metadata></record>'
        for name, _, title in TITLES
    )
    + "</ListRecords></OAI-PMH>"
).encode()
MARC_JSON = json.dumps(
    [
        {
            "leader": "00000nam a2200000   4500",
            "fields": [{"001": name}, {"245": {"ind1": "1", "ind2": "0", "subfields": [{"a": title}]}}],
        }
        for name, _, title in TITLES
    ]
).encode()
LINE_MARC = "\n\n".join(
    f"=LDR  00000nam a2200000   4500\n=001  {name}\n=245  10$a{title}" for name, _, title in TITLES
).encode()

FORMATS = {
    "iso2709": marc_file(),
    "marcxml": marcxml_file(),
    "mods": MODS,
    "oai_dc": DUBLIN_CORE,
    "oai_dc in an OAI-PMH answer": OAI_ENVELOPE,
    "marc_json": MARC_JSON,
    "line_marc": LINE_MARC,
}
PACKINGS = {
    "plain": lambda content: content,
    "gz": lambda content: gzip.compress(content),
    "two gz members": lambda content: gzip.compress(content[:100]) + gzip.compress(content[100:]),
    "zst": lambda content: zstd.compress(content),
    "zip": lambda content: zipped(isi__dat=content),
    "tar": lambda content: tarred(isi__dat=content),
    "tar.gz": lambda content: gzip.compress(tarred(isi__dat=content)),
    "tar.zst": lambda content: zstd.compress(tarred(isi__dat=content)),
}


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_is_read_in_every_packing_whatever_the_file_is_called(
    tmp_path: Path, format_: str, packing: str
) -> None:
    pages = read(PACKINGS[packing](FORMATS[format_]), tmp_path, "dump.dat")
    assert [record.identifier for record in records(pages)] == NAMES
    assert {record.format for record in records(pages)} == {format_.split()[0]}
    assert damages(pages) == []
    assert pages[-1].token == ""
    assert pages[-1].list_size == 5


def test_the_protocol_is_registered_under_the_name_files() -> None:
    assert sources.get("files") is open_files


def test_a_full_set_is_given_in_pages_and_resumes_in_the_middle(tmp_path: Path) -> None:
    drop(tmp_path, "full.mrc", marc_file())
    pages = harvest(tmp_path, page_records=2)
    assert [[record.identifier for record in page.records] for page in pages] == [["b1", "b2"], ["b3", "b4"], ["b5"]]
    assert [page.list_size for page in pages] == [None, None, 5]
    rest = harvest(tmp_path, token=pages[0].token, page_records=2)
    assert [record.identifier for record in records(rest)] == ["b3", "b4", "b5"]
    assert rest[-1].list_size == 5
    assert len({page.token for page in pages}) == 3


def test_a_cancelled_harvest_stops_at_a_page_and_resumes_there(tmp_path: Path) -> None:
    drop(tmp_path, "full.mrc", marc_file())
    given = []
    environment = Environment(clock=SystemClock(), cancel=lambda: len(given) > 0)
    with pytest.raises(SourceUnavailable, match="stopped"):
        for page in open_files(source(tmp_path, page_records=1), environment).pages(Window()):
            given.append(page)
    assert 0 < len(given) < 5
    rest = harvest(tmp_path, token=given[-1].token)
    assert [record.identifier for record in records([*given, *rest])] == NAMES


def test_a_file_replaced_between_two_pages_starts_the_window_again(tmp_path: Path) -> None:
    drop(tmp_path, "full.mrc", marc_file())
    token = harvest(tmp_path, page_records=2)[0].token
    drop(tmp_path, "full.mrc", marc_file(4))
    with pytest.raises(TokenExpired):
        harvest(tmp_path, token=token, page_records=2)


def test_a_file_that_was_read_whole_is_not_read_again(tmp_path: Path) -> None:
    path = drop(tmp_path, "full.mrc", marc_file())
    facts = learned(harvest(tmp_path))
    assert harvest(tmp_path, learned=facts) == []
    drop(tmp_path, "full.mrc", marc_file(), age=7200)
    assert harvest(tmp_path, learned=facts) == [], "the same bytes under a new time"
    drop(tmp_path, "full.mrc", marc_file(4))
    assert len(records(harvest(tmp_path, learned=facts))) == 4
    assert path.name not in "".join(facts), "names of files are the partner's"


def test_of_full_sets_the_newest_counts_and_parts_count_together(tmp_path: Path) -> None:
    drop(tmp_path, "full-2026-01.mrc", marc_file(), age=100)
    drop(tmp_path, "full-2026-02.mrc", marc_file(2), age=9000)
    assert [record.identifier for record in records(harvest(tmp_path))] == ["b1", "b2"]
    together = harvest(tmp_path, parts=True)
    assert together[-1].list_size == 5
    assert [page.list_size for page in together[:-1]] == [None]


def test_deltas_come_in_the_order_of_their_dates_and_are_never_a_full_list(tmp_path: Path) -> None:
    drop(tmp_path, "new_202402_2.mrc", marc("b1", title="Bumi manusia, cetakan baru"), age=9000)
    drop(tmp_path, "new_202401_5.mrc", marc_file(), age=100)
    pages = harvest(tmp_path, content="delta")
    assert [record.identifier for record in records(pages)] == [*NAMES, "b1"]
    assert b"cetakan baru" in records(pages)[-1].payload
    assert [page.list_size for page in pages] == [None, None]
    assert harvest(tmp_path, content="delta", learned=learned(pages)) == []
    drop(tmp_path, "new_202403_1.mrc", marc("b9"))
    assert [r.identifier for r in records(harvest(tmp_path, content="delta", learned=learned(pages)))] == ["b9"]


def test_a_list_of_deletions_among_deltas_deletes(tmp_path: Path) -> None:
    drop(tmp_path, "2026-01-01.mrc", marc_file())
    drop(tmp_path, "2026-01-02-deleted.txt", "\ufeffb1\r\n# dua berikut rusak\r\n\r\nb3; hilang\r\n".encode())
    found = records(harvest(tmp_path, content="delta"))
    assert [(record.identifier, record.deleted) for record in found[5:]] == [("b1", True), ("b3", True)]


@pytest.mark.parametrize(
    "text", ["inv:17\nisbn:9789793062792; hilang\n", '\ufeff# dua buku\r\n\r\n"inv:17"\r\nisbn:9789793062792\r\n']
)
def test_rows_of_a_school_are_deleted_by_a_list_or_by_a_sheet(tmp_path: Path, text: str) -> None:
    """A school's source names a layout: its list of identifiers was read as a sheet without column names."""
    for content in (text.encode(), b"Judul,No. Induk,ISBN\nA,17,\nB,,9789793062792\n"):
        pages = read(content, tmp_path, content="deletes", layout="school-xlsx")
        assert not [one for page in pages for one in page.damages]
        assert [(one.identifier, one.deleted) for one in records(pages)] == [
            ("inv:17", True),
            ("isbn:9789793062792", True),
        ]


def test_records_in_a_file_of_deletions_and_leader_d_are_deletions(tmp_path: Path) -> None:
    gone = marc("b1").replace(b"nam a22", b"dam a22")
    assert [(r.identifier, r.deleted) for r in records(read(gone, tmp_path))] == [("b1", True)]
    assert not records(read(gone, tmp_path, deleted_leader=False))[0].deleted
    assert all(record.deleted for record in records(read(marc_file(), tmp_path, content="deletes")))


def test_deleted_headers_in_a_saved_oai_answer_are_deletions(tmp_path: Path) -> None:
    gone = OAI_ENVELOPE.replace(b"<header><identifier>b2", b'<header status="deleted"><identifier>b2')
    assert [record.identifier for record in records(read(gone, tmp_path)) if record.deleted] == ["b2"]


def test_the_identifier_rule_may_name_another_field(tmp_path: Path) -> None:
    environment = Environment(clock=SystemClock())
    path = drop(tmp_path, "a.mrc", marc("b1", title="Potret"))
    from msgspec.structs import replace

    ruled = replace(source(""), identifier_rule="245$a")
    pages = list(open_paths(ruled, environment, [path]).pages(Window()))
    assert records(pages)[0].identifier == "Potret"


def test_a_record_without_identifier_is_set_aside_and_proves_nothing_absent(tmp_path: Path) -> None:
    pages = read(marc("b1") + marc(" ") + marc("b3"), tmp_path)
    assert [record.identifier for record in records(pages)] == ["b1", "b3"]
    (damage,) = damages(pages)
    assert damage.reason == "no-identifier"
    assert damage.payload == marc(" ")
    assert pages[-1].list_size is None
    assert "salvaged" not in flags(pages)


def test_a_file_being_uploaded_waits_for_the_next_night(tmp_path: Path) -> None:
    drop(tmp_path, "full.mrc", marc_file(), age=5)
    with pytest.raises(NothingYet, match=r"full\.mrc was changed less than 60 seconds ago"):
        harvest(tmp_path)  # alone it would look like an empty library
    drop(tmp_path, "other.mrc", marc_file(2))
    pages = harvest(tmp_path, stable_seconds=60)
    assert len(records(pages)) == 2
    assert "waiting:full.mrc" in flags(pages)
    assert len(records(harvest(tmp_path, stable_seconds=1))) == 5


def test_a_marker_says_that_a_file_is_whole(tmp_path: Path) -> None:
    drop(tmp_path, "full.mrc", marc_file(), age=0)
    with pytest.raises(NothingYet, match=r"full\.mrc waits for its \.done"):
        harvest(tmp_path, marker=".done")
    drop(tmp_path, "full.mrc.done", b"", age=0)
    assert len(records(harvest(tmp_path, marker=".done"))) == 5


def test_only_plain_files_of_the_folder_are_read(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "drop", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    secret = drop(elsewhere, "secret.mrc", marc("rahasia"))
    (folder / "link.mrc").symlink_to(secret)
    (folder / "sub").mkdir()
    drop(folder / "sub", "deep.mrc", marc("dalam"))
    for name in (".hidden.mrc", "~$lock.xlsx", "half.mrc.part", "half.mrc.crdownload"):
        drop(folder, name, marc("tersembunyi"))
    with pytest.raises(SourceUnavailable, match="there is no file to read in the folder"):
        harvest(folder, parts=True)
    drop(folder, "full.mrc", marc_file())
    pages = harvest(folder, parts=True)
    assert [record.identifier for record in records(pages)] == NAMES
    assert "refused:link.mrc" in flags(pages)


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    drop(tmp_path, "secret.mrc", marc("rahasia"))
    (tmp_path / "link.mrc").symlink_to(tmp_path / "secret.mrc")
    with pytest.raises(SourceUnavailable):
        list(open_paths(source(""), Environment(clock=SystemClock()), [tmp_path / "link.mrc"]).pages(Window()))


def test_a_missing_folder_is_no_empty_library(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable):
        harvest(tmp_path / "not-mounted")


@pytest.mark.parametrize("content", [b'<?xml version="1.0"?><collection/>', b"[]"])
def test_a_full_set_without_records_deletes_nothing(tmp_path: Path, content: bytes) -> None:
    drop(tmp_path, "full.xml", content)
    try:
        pages = harvest(tmp_path)
    except ProtocolError:
        return
    assert "salvaged" in flags(pages)
    assert pages[-1].list_size is None


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\x00\x00\r\n"])
def test_an_empty_file_is_reported_and_deletes_nothing(tmp_path: Path, content: bytes) -> None:
    drop(tmp_path, "full.mrc", content)
    pages = harvest(tmp_path)
    assert [damage.reason for damage in damages(pages)] == ["empty"]
    assert pages[-1].list_size is None
    assert learned(pages) == {}


def test_a_web_page_saved_as_a_dump_is_told_as_such(tmp_path: Path) -> None:
    pages = read(b"<!DOCTYPE html><html><body>Silakan masuk</body></html>", tmp_path)
    assert [damage.reason for damage in damages(pages)] == ["web-page"]


def test_unknown_options_are_told_all_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        open_files(
            source("x", conten="full", content="ful", parts="yes", format="marc"), Environment(clock=SystemClock())
        )
    assert len(caught.value.problems) == 4
    assert "did you mean content?" in caught.value.problems[0]


def test_a_packed_file_that_ends_too_soon_gives_what_came_before(tmp_path: Path) -> None:
    import random

    generator = random.Random(7)
    content = b"".join(marc(f"r{n}", title=f"Judul {generator.random()}") for n in range(3000))
    for packed in (gzip.compress(content), zstd.compress(content), gzip.compress(tarred(a=content))):
        pages = read(packed[: len(packed) // 2], tmp_path)
        assert 200 < len(records(pages)) < 3000
        assert "truncated" in {damage.reason for damage in damages(pages)}
        assert "salvaged" in flags(pages)
        assert learned(pages) == {}


class _Server:
    """A web server with one dump, an ETag, and a count of what it sent."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.statuses: list[int] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                tag = f'"{len(outer.content)}"'
                status = 304 if self.headers.get("If-None-Match") == tag else 200
                outer.statuses.append(status)
                self.send_response(status)
                self.send_header("ETag", tag)
                body = outer.content if status == 200 else b""
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/dump.mrc.gz"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def test_a_dump_at_an_address_is_fetched_only_when_it_changed() -> None:
    server = _Server(gzip.compress(marc_file()))
    try:
        pages = harvest(server.url)
        assert [record.identifier for record in records(pages)] == NAMES
        assert harvest(server.url, learned=learned(pages)) == []
        server.content = gzip.compress(marc_file(2))
        assert len(records(harvest(server.url, learned=learned(pages)))) == 2
        assert server.statuses == [200, 304, 200]
    finally:
        server.close()


def test_a_dump_larger_than_the_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from harvester.sources import files
    from harvester.sources.file_archive import FileLimits

    monkeypatch.setattr(files, "FileLimits", lambda **_: FileLimits(file_bytes=300))
    server = _Server(marc_file())
    try:
        with pytest.raises(Refused):
            harvest(server.url)
    finally:
        server.close()
