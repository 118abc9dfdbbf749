"""Files: whole or not there, proven by their manifest, and adding up to the catalogue."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import sys
from pathlib import Path
from typing import Any

import msgspec
import pymarc
import pytest

from harvester.errors import ConfigError, OutputError
from harvester.model import MarcRecord, Note, UnionRecord
from harvester.outputs import outputs
from harvester.outputs.batch import Marc, OutputState
from harvester.outputs.deliver import deliver
from tests.outputs.union import Union, book, held_by, opening, write_marc

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

KINDS = ("jsonl", "marcxml", "iso2709")


class Folder:
    """A file output and its stored state."""

    def __init__(self, kind: str, folder: Path, union: Union, **options: Any) -> None:
        self.kind, self.folder, self.union = kind, folder, union
        self.output = outputs.get(kind)(opening(str(folder), union.clock, **options))
        self.state = OutputState()

    def publish(self) -> None:
        self.state = deliver(self.output, self.union, self.state, lambda state: None)

    @property
    def manifest(self) -> dict[str, Any]:
        return dict(msgspec.json.decode((self.folder / "manifest.json").read_bytes()))

    def consumer(self) -> dict[str, str]:
        """Cluster → title, as somebody has it who loads the files in the order of the manifest."""
        held: dict[str, str] = {}
        for entry in self.manifest["files"]:
            raw = (self.folder / entry["name"]).read_bytes()
            for cluster, title in READERS[self.kind](unpacked(entry["name"], raw)):
                if title is None:
                    held.pop(cluster, None)
                else:
                    held[cluster] = title
        return held


def unpacked(name: str, raw: bytes) -> bytes:
    if name.endswith(".gz"):
        return gzip.decompress(raw)
    return bytes(zstd.decompress(raw)) if name.endswith(".zst") else raw


def read_jsonl(raw: bytes) -> list[tuple[str, str | None]]:
    lines = [msgspec.json.decode(line) for line in raw.splitlines()]
    return [
        (line["_union"]["id"], None if line["_union"].get("deleted") else line["_union"]["record"]["title"]["proper"])
        for line in lines
    ]


def read_marc(records: list[pymarc.Record | None]) -> list[tuple[str, str | None]]:
    return [
        (str(one["001"].data), None if str(one.leader)[5] == "d" else str(one["245"]["a"]))
        for one in records
        if one is not None
    ]


READERS = {
    "jsonl": read_jsonl,
    "marcxml": lambda raw: read_marc(pymarc.parse_xml_to_array(io.BytesIO(raw))),
    "iso2709": lambda raw: read_marc(list(pymarc.MARCReader(io.BytesIO(raw), to_unicode=True))),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("compress", ["", "gz", "zst"])
def test_full_and_deltas_add_up_to_the_catalogue(kind: str, compress: str, tmp_path: Path) -> None:
    union = Union()
    folder = Folder(kind, tmp_path, union, compress=compress)
    union.commit({str(n): [held_by(f"ui/{n}", book(f"Judul {n} é قال"))] for n in range(1, 8)})
    folder.publish()
    union.commit({"2": [held_by("ui/2", book("Dua")), held_by("inlis/3")]}, {"3": "2", "4": ""})
    folder.publish()
    union.commit({"8": [held_by("ui/8", book("Delapan"))]})
    folder.publish()
    expected = {cluster: one.union.record.title.proper for cluster, one in union.clusters.items()}
    assert folder.consumer() == expected
    manifest = folder.manifest
    assert [(one["kind"], one["since"], one["until"]) for one in manifest["files"]] == [
        ("full", 0, 7), ("delta", 7, 10), ("delta", 10, 11),
    ]  # fmt: skip
    assert [(one["records"], one["deleted"]) for one in manifest["files"]] == [(7, 0), (1, 2), (1, 0)]
    assert (manifest["position"], manifest["epoch"], manifest["schema_version"]) == (11, "e1", 1)
    for one in manifest["files"]:
        raw = (tmp_path / one["name"]).read_bytes()
        assert (len(raw), hashlib.sha256(raw).hexdigest()) == (one["bytes"], one["sha256"])
    assert folder.output.verify(union).clean
    assert {path.name for path in tmp_path.iterdir()} == {"manifest.json", *(one["name"] for one in manifest["files"])}


def test_a_line_of_jsonl_holds_marc_donors_and_members(tmp_path: Path) -> None:
    union = Union()
    folder = Folder("jsonl", tmp_path, union)
    union.commit({"1": [held_by("ui/1"), held_by("ugm/oai:ugm:2")]})
    folder.publish()
    line = msgspec.json.decode(next(iter(tmp_path.glob("full-*"))).read_bytes())
    assert pymarc.parse_json_to_array(msgspec.json.encode([line]).decode())[0]["001"].data == "1"
    assert line["_union"]["members"] == ["ugm/oai:ugm:2", "ui/1"]
    assert {"field": "title", "donor": "ugm/oai:ugm:2"}.items() <= next(
        one for one in line["_union"]["survivors"] if one["field"] == "title"
    ).items()


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_applied_twice_writes_the_same_file(kind: str, tmp_path: Path) -> None:
    union = Union()
    folder = Folder(kind, tmp_path, union)
    folder.publish()
    union.commit({"1": [held_by("ui/1")]})
    before = folder.state
    folder.publish()
    once = {path.name: path.read_bytes() for path in tmp_path.glob("delta-*")}
    folder.state = before  # killed before the position was saved
    folder.publish()
    assert {path.name: path.read_bytes() for path in tmp_path.glob("delta-*")} == once
    assert len(once) == 1


def test_iso2709_refuses_what_does_not_fit_and_says_so(tmp_path: Path) -> None:
    union = Union()
    folder = Folder("iso2709", tmp_path, union)
    folder.publish()
    field = book(abstract="x" * 12_000)
    record = book(notes=tuple(Note("general", f"{n} " + "y" * 9_000) for n in range(12)))
    union.commit({"1": [held_by("ui/1", field)], "2": [held_by("ui/2", record)], "3": [held_by("ui/3")]})
    folder.publish()
    assert folder.consumer() == {"3": "Laskar pelangi"}
    assert [one.cluster for one in folder.state.rejected] == ["1", "2"]
    assert [one["cluster"] for one in folder.manifest["refused"]] == ["1", "2"]
    assert (folder.state.position, folder.state.reached) == (0, 3)
    assert folder.output.verify(union).clean
    union.commit({"1": [held_by("ui/1")]}, {"2": ""})
    folder.publish()
    assert folder.consumer() == {"1": "Laskar pelangi", "3": "Laskar pelangi"}
    assert folder.state.position == 5
    assert folder.manifest["refused"] == []


def test_a_crash_leaves_no_half_file_and_the_next_writing_sweeps(tmp_path: Path) -> None:
    union = Union()
    folder = Folder("jsonl", tmp_path, union)
    union.commit({"1": [held_by("ui/1")]})
    folder.publish()
    before = (tmp_path / "manifest.json").read_bytes()
    union.commit({"2": [held_by("ui/2", book("Dua"))], "3": [held_by("ui/3", book("Rusak"))]})
    sound, folder.output = folder.output, outputs.get("jsonl")(opening(str(tmp_path))._replace(marc=dying))
    with pytest.raises(MemoryError):
        folder.publish()
    assert (tmp_path / "manifest.json").read_bytes() == before
    assert folder.consumer() == {"1": "Laskar pelangi"}
    folder.output = sound
    folder.publish()
    assert folder.consumer() == {"1": "Laskar pelangi", "2": "Dua", "3": "Rusak"}
    assert not list(tmp_path.glob(".*"))


def dying(union: UnionRecord, cluster: str, marc: Marc) -> MarcRecord:
    """A process that ends in the middle of a file."""
    if union.record.title.proper == "Rusak":
        raise MemoryError
    return write_marc(union, cluster, marc)


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    union = Union()
    union.commit({"1": [held_by("ui/1")]})
    with pytest.raises(OutputError):
        Folder("jsonl", tmp_path / "file", union).publish()
    with pytest.raises(ConfigError):
        Folder("jsonl", tmp_path, union, compress="rar")


@pytest.mark.parametrize("kind", KINDS)
def test_verify_finds_damage_and_drift_and_repairs_them(kind: str, tmp_path: Path) -> None:
    union = Union()
    folder = Folder(kind, tmp_path, union)
    union.commit({str(n): [held_by(f"ui/{n}", book(f"Judul {n}"))] for n in range(1, 6)})
    folder.publish()
    changed, gone = union.clusters["2"], union.clusters.pop("3")
    title = msgspec.structs.replace(changed.union.record.title, proper="Lain")
    record = msgspec.structs.replace(changed.union.record, title=title)
    union.clusters["2"] = msgspec.structs.replace(changed, union=msgspec.structs.replace(changed.union, record=record))
    union.clusters["9"] = msgspec.structs.replace(gone, cluster="9")
    drift = folder.output.verify(union, repair=True)
    assert (drift.missing, drift.different, drift.surplus, drift.repaired) == (("9",), ("2",), ("3",), 3)
    assert folder.output.verify(union).clean
    assert folder.consumer()["2"] == "Lain"
    path = next(tmp_path.glob("full-*"))
    path.write_bytes(path.read_bytes()[:-10])
    assert not folder.output.verify(union).clean
    folder.output.verify(union, repair=True)
    assert folder.output.verify(union).clean


def edited(folder: Path, **values: Any) -> None:
    """The manifest, with what an older one says."""
    told = msgspec.json.decode((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_bytes(msgspec.json.encode(told | values))


LOSSES: dict[str, Any] = {
    "manifest.json is missing": shutil.rmtree,
    "full-000000000001.jsonl is missing": lambda folder: next(folder.glob("full-*")).unlink(),
    "delta-000000000001-000000000002-d4735e3a.jsonl is missing": lambda folder: next(folder.glob("delta-*")).unlink(),
    "there is no full file": lambda folder: edited(folder, files=[]),
    "the files end at change 1, not at 2": lambda folder: edited(folder, position=1),
}


@pytest.mark.parametrize("why", LOSSES)
def test_what_a_folder_lost_is_told_and_verify_says_the_same(why: str, tmp_path: Path) -> None:
    union = Union()
    folder = Folder("jsonl", tmp_path / "dump", union)
    for number in ("1", "2"):
        union.commit({number: [held_by(f"ui/{number}")]})
        folder.publish()
        assert folder.output.lost(folder.state) == ""
    LOSSES[why](folder.folder)
    assert folder.output.lost(folder.state) == why
    if "end at" not in why:
        assert folder.output.verify(union, repair=True).notes == (why,)
        assert folder.output.lost(folder.state) == ""
        assert folder.consumer() == {"1": "Laskar pelangi", "2": "Laskar pelangi"}


def test_a_new_full_file_lists_the_old_ones_for_removal(tmp_path: Path) -> None:
    union = Union()
    folder = Folder("jsonl", tmp_path, union)
    union.commit({"1": [held_by("ui/1")]})
    folder.publish()
    old = [one["name"] for one in folder.manifest["files"]]
    union.commit({"1": [held_by("ui/1", withheld=("abstract",))]})
    folder.output.snapshot(union)
    assert folder.manifest["remove"] == old
    assert [one["kind"] for one in folder.manifest["files"]] == ["full"]
    assert not (tmp_path / old[0]).exists()
