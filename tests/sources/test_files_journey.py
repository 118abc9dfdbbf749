"""Sheets and files through the whole pipeline: what a librarian edits is an edit, what shrinks halts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import select

from db import ledger
from db.tables import record, run
from db.verify import verify
from harvester.pipeline import Order, harvest_one
from tests.cli.test_commands import Call
from tests.journey import Consortium
from tests.sources.file_fixtures import drop, marc, marc_file
from tests.sources.sheet_files import HEADER, xlsx

ROWS: list[list[Any]] = [
    [number, f"Sejarah desa {number}", f"Penulis {number}", "Balai Pustaka", 1990, "", "959.8", f"{number:04}", 1]
    for number in range(1, 201)
]


def consortium(tmp_path: Path, **options: Any) -> tuple[Consortium, Path]:
    made = Consortium(tmp_path / "induk", f"sqlite:///{tmp_path}/induk.db")
    folder = tmp_path / "kiriman"
    folder.mkdir()
    made.add("sd-3", protocol="files", url=str(folder), options=options)
    return made, folder


def night(made: Consortium) -> tuple[Any, dict[str, int]]:
    """The outcome of tonight's harvest and the counters of its run."""
    outcome = made.harvest()["sd-3"]
    with made.opened() as pipeline, pipeline.database.read() as conn:
        row = conn.execute(select(run).where(run.c.id == outcome.run_id)).mappings().one()
    names = ("created", "updated", "unchanged", "deleted", "quarantined")
    return outcome, {name: row[name] for name in names if row[name]}


def waiting(made: Consortium) -> list[dict[str, Any]]:
    return made.ask(ledger.list_quarantine)


def test_what_a_mended_full_list_brings_no_more_waits_no_longer_and_a_vain_try_keeps_the_reason(tmp_path: Path) -> None:
    made, folder = consortium(tmp_path)
    nameless = ["", "", "Penulis", "Balai Pustaka", 1990, "", "959.8", "", 1]
    drop(folder, "buku.xlsx", xlsx(HEADER, *ROWS, nameless))
    assert night(made)[1] == {"created": 200, "quarantined": 1}
    (first,) = waiting(made)
    assert (first["identifier"], "202" in first["place"]) == ("", True)
    call = Call(made.folder)
    assert call("quarantine", "retry", str(first["id"]))[0] == 0
    (tried,) = waiting(made)
    assert (tried["message"], tried["tries"]) == (first["message"], 2)
    drop(folder, "buku.xlsx", xlsx(HEADER, *ROWS[:-1], nameless))
    night(made)
    assert len(waiting(made)) == 1, "it came again"
    drop(folder, "buku.xlsx", xlsx(HEADER, *ROWS))
    assert night(made)[0].verdict == "complete"
    assert waiting(made) == []


def test_what_is_ignored_waits_no_longer_also_when_it_comes_again(tmp_path: Path) -> None:
    made, folder = consortium(tmp_path)
    nameless = ["", "", "Penulis", "Balai Pustaka", 1990, "", "959.8", "", 1]
    drop(folder, "buku.xlsx", xlsx(HEADER, *ROWS, nameless))
    night(made)
    call, number = Call(made.folder), str(waiting(made)[0]["id"])
    assert call("quarantine", "ignore", number, "--dry-run")[0] == 0
    assert len(waiting(made)) == 1
    assert call("quarantine", "ignore", number)[0] == 0
    assert call("quarantine", "ignore", number)[0] == 2
    drop(folder, "buku.xlsx", xlsx(HEADER, *ROWS[:-1], nameless))
    night(made)
    assert waiting(made) == []
    assert call.json("quarantine", "list", "--state", "ignored")[0]["id"] == int(number)


def active(made: Consortium) -> int:
    with made.opened() as pipeline, pipeline.database.read() as conn:
        return len(conn.execute(select(record.c.id).where(record.c.state == "active")).all())


def test_a_file_that_is_still_being_written_is_no_trouble_and_is_read_the_next_time(tmp_path: Path) -> None:
    made, folder = consortium(tmp_path)
    drop(folder, "buku.xlsx", xlsx(HEADER, *ROWS), age=-50)
    outcome, counts = night(made)
    why = "kiriman: buku.xlsx was changed less than 60 seconds ago; the next harvest reads it"
    assert (outcome.verdict, outcome.reason, outcome.proof, counts) == ("complete", why, "", {})
    code, out, _ = Call(made.folder)("harvest")
    assert code == 0
    assert "buku.xlsx" in out
    drop(folder, "buku.xlsx", xlsx(HEADER, *ROWS))
    outcome, counts = night(made)
    assert (outcome.verdict, outcome.reason, outcome.proof, counts) == ("complete", "", "proven", {"created": 200})
    drop(folder, "lagi.xlsx", xlsx(HEADER, *ROWS[:100]), age=-50)
    outcome, counts = night(made)
    assert (outcome.verdict, "lagi.xlsx was changed" in outcome.reason, counts) == ("complete", True, {})
    assert active(made) == 200


def test_the_nights_of_a_school_with_a_sheet(tmp_path: Path) -> None:
    made, folder = consortium(tmp_path)
    drop(folder, "buku.xlsx", xlsx(HEADER, *ROWS))
    outcome, counts = night(made)
    assert (outcome.verdict, outcome.proof, counts) == ("complete", "proven", {"created": 200})

    assert night(made)[1] == {}, "the same file is not read twice"

    drop(folder, "buku.xlsx", xlsx(["DAFTAR BUKU"], HEADER, *reversed(ROWS)))
    assert night(made)[1] == {"unchanged": 200}, "other order, other place, same records"

    edited = [list(row) for row in ROWS]
    edited[7][1] = "Sejarah desa delapan"
    drop(folder, "buku.xlsx", xlsx(HEADER, *edited))
    assert night(made)[1] == {"updated": 1, "unchanged": 199}

    drop(folder, "buku.xlsx", xlsx(HEADER, *edited[:140]))
    outcome, counts = night(made)
    assert (outcome.verdict, "deleted" in counts) == ("halted", False), "nothing is deleted yet"
    assert active(made) == 200, "30 percent less is for a person to decide"


def test_a_few_rows_less_are_deletions(tmp_path: Path) -> None:
    made, folder = consortium(tmp_path)
    drop(folder, "buku.xlsx", xlsx(HEADER, *ROWS))
    night(made)
    drop(folder, "buku.xlsx", xlsx(HEADER, *ROWS[:198]))
    outcome, counts = night(made)
    assert (outcome.verdict, counts) == ("complete", {"unchanged": 198, "deleted": 2})
    assert active(made) == 198
    with made.opened() as pipeline, pipeline.database.read() as conn:
        assert conn.execute(select(run.c.received).where(run.c.id == outcome.run_id)).scalar_one() == 198
        assert next(one.bad for one in verify(conn) if one.name == "conservation") == 0
    assert night(made)[1] == {}, "the deletions are those of one run"


def test_a_sheet_with_borrowers_deletes_nothing_and_makes_the_night_partial(tmp_path: Path) -> None:
    made, folder = consortium(tmp_path)
    drop(folder, "buku.xlsx", xlsx(HEADER, *ROWS[:10]))
    night(made)
    drop(folder, "buku.xlsx", xlsx(["Judul", "Peminjam"], ["Sejarah desa 1", "Budi"]))
    assert night(made)[0].verdict == "partial"
    assert active(made) == 10


def test_deltas_and_deletions_are_applied_once_and_in_order(tmp_path: Path) -> None:
    made, folder = consortium(tmp_path, content="delta")
    drop(folder, "2026-01-first.mrc", marc_file() + b"".join(marc(f"c{number}") for number in range(25)))
    drop(folder, "2026-02.mrc", marc("b1", title="Bumi manusia, cetakan baru") + marc("b6"))
    assert night(made)[1] == {"created": 31, "updated": 1}
    drop(folder, "2026-03-deleted.txt", b"b2\n")
    assert night(made)[1] == {"deleted": 1}
    assert active(made) == 30
    assert night(made)[1] == {}


def test_a_cut_file_is_partial_until_it_is_sent_again(tmp_path: Path) -> None:
    made, folder = consortium(tmp_path)
    drop(folder, "full.mrc", marc_file())
    night(made)
    drop(folder, "full.mrc", marc_file()[:-30])
    assert night(made)[0].verdict == "partial"
    assert night(made)[0].verdict == "partial"
    assert active(made) == 5
    drop(folder, "full.mrc", marc_file())
    assert night(made)[0].verdict == "complete"


def test_what_a_broken_file_brought_is_no_part_of_the_next_list(tmp_path: Path) -> None:
    made, folder = consortium(tmp_path)
    every = [marc(f"b{number}") for number in range(40)]
    drop(folder, "full.mrc", b"".join(every))
    night(made)
    drop(folder, "full.mrc", b"".join(every)[:-30])
    assert night(made)[0].verdict == "partial"
    drop(folder, "full.mrc", b"".join(every[:5] + every[6:]))
    outcome, counts = night(made)
    assert (outcome.verdict, outcome.proof, counts) == ("complete", "proven", {"unchanged": 39, "deleted": 1})
    drop(folder, "full.mrc", b"".join(every)[:-30])
    night(made)
    drop(folder, "full.mrc", b"".join(every[:30]))
    outcome, _ = night(made)
    assert (outcome.verdict, outcome.reason) == ("halted", "30 records came, 39 at the last good harvest")


def test_a_run_is_shown_beside_the_good_one_that_its_gate_compared_with(tmp_path: Path) -> None:
    made, folder = consortium(tmp_path)
    drop(folder, "full.mrc", b"".join(marc(f"b{number}") for number in range(40)))
    night(made)
    quiet = night(made)[0].run_id
    drop(folder, "full.mrc", b"".join(marc(f"b{number}") for number in range(30)) + b"01x")
    outcome, _ = night(made)
    call = Call(made.folder)
    assert "full.mrc: byte" in call("run", "show", str(outcome.run_id))[1]
    drop(folder, "full.mrc", b"".join(marc(f"b{number}") for number in range(30)))
    outcome, _ = night(made)
    assert outcome.verdict == "halted"
    assert call.json("run", "show", str(outcome.run_id))["last_good"]["received"] == 40
    assert "it proposed no record for deletion" in call("run", "approve", str(quiet), "--dry-run")[1]


def test_a_folder_that_was_emptied_is_no_unchanged_library(tmp_path: Path) -> None:
    made, folder = consortium(tmp_path)
    drop(folder, "full.mrc", marc_file())
    night(made)
    (folder / "full.mrc").unlink()
    outcome, _ = night(made)
    assert (outcome.verdict, outcome.reason) == ("failed", "kiriman: there is no file to read in the folder")
    assert active(made) == 5
    code, _, said = Call(made.folder)("partner", "add", "unmul", "kiriman/unmul")
    assert (code, "--protocol files" in said) == (2, True), "a folder is no server"


def test_a_list_in_parts_goes_on_behind_a_broken_part_only_while_the_parts_before_it_stay(tmp_path: Path) -> None:
    made, folder = consortium(tmp_path, parts=True, page_records=4)
    every = [marc(f"b{number}") for number in range(40)]
    drop(folder, "a.mrc", b"".join(every[:20]))
    drop(folder, "b.mrc", b"".join(every[20:]))
    night(made)
    drop(folder, "b.mrc", b"".join(every[20:])[:-30])
    assert night(made)[0].verdict == "partial"
    drop(folder, "b.mrc", b"".join(every[20:38]))
    outcome, counts = night(made)
    assert (outcome.verdict, outcome.proof, counts) == ("complete", "proven", {"unchanged": 38, "deleted": 2})
    with made.opened() as pipeline:
        harvest_one(pipeline, "sd-3", Order(limit=24))  # stops within b.mrc
    drop(folder, "a.mrc", b"".join([*every[1:20], every[39]]))
    outcome, counts = night(made)
    assert (outcome.verdict, outcome.proof) == ("complete", "proven")
    with made.opened() as pipeline, pipeline.database.read() as conn:
        names = set(conn.execute(select(record.c.identifier).where(record.c.state == "active")).scalars())
    assert names == {f"b{number}" for number in (*range(1, 38), 39)}


def test_a_sample_of_files_that_were_harvested_reads_them_again_and_resumes_nothing(tmp_path: Path) -> None:
    made, folder = consortium(tmp_path)
    drop(folder, "buku.xlsx", xlsx(HEADER, *ROWS))
    night(made)
    call = Call(made.folder)
    assert len(call.json("partner", "sample", "sd-3")) == 20
    _, out, _ = call("partner", "sample", "sd-3", "--number", "5")
    assert "5 records, 0 refused." in out
    assert "resume" not in out
    assert night(made)[1] == {}, "nothing was forgotten"
