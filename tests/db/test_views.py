"""The SQL views are a contract: their columns are those of docs/database.md, their rows those of the catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from db import migrate, views
from db.engine import Database
from db.tables import metadata
from tests.pipeline.shelf import Book, Union

PAGE = (Path(__file__).parents[2] / "docs" / "database.md").read_text(encoding="utf-8")
LASKAR = Book("Laskar pelangi", isbn="9789793062792")
KINDS = {int: "integer", str: "text", float: "real"}


def documented(name: str) -> list[tuple[str, str]]:
    """(column, type) as docs/database.md has them."""
    section = PAGE.partition(f"### {name}\n")[2].partition("\n##")[0]
    return re.findall(r"^\| `(\w+)` \| (\w+) \|", section, re.MULTILINE)


@pytest.fixture
def union(tmp_path: Path, database_url: str) -> Iterator[Union]:
    made = Union(tmp_path / "union", database_url)
    made.night({"alun/1": LASKAR, "bukit/7": LASKAR, "alun/2": Book("Bumi manusia", isbn="9789799731234")})
    made.put("alun/2", LASKAR)
    made.delete("bukit/7")
    made.night()
    yield made
    made.close()


def rows(union: Union, name: str) -> list[dict[str, object]]:
    with union.pipeline.database.read() as conn:
        return [dict(row) for row in conn.execute(text(f"SELECT * FROM {name}")).mappings()]


def test_a_view_has_the_columns_and_types_that_its_page_says(union: Union) -> None:
    for name in views.NAMES:
        found = rows(union, name)
        assert found, name
        assert list(found[0]) == [column for column, _ in documented(name)], name
        for column, kind in documented(name):
            seen = {KINDS[type(row[column])] for row in found if row[column] is not None}
            assert seen <= {kind}, f"{name}.{column}"


def test_the_views_show_the_catalogue(union: Union) -> None:
    here = union.cluster_of("alun/1")
    (cluster,) = rows(union, "v_cluster")
    assert (cluster["cluster_id"], cluster["title"], cluster["members"], cluster["partners"]) == (
        here, "Laskar pelangi", 2, 1,
    )  # fmt: skip
    assert {(row["source"], row["identifier"], row["cluster_id"]) for row in rows(union, "v_member")} == {
        ("alun", "1", here),
        ("alun", "2", here),
    }
    assert {(row["kind"], row["value"]) for row in rows(union, "v_identifier")} == {("isbn", "9789793062792")}
    assert {row["partner"] for row in rows(union, "v_holding")} == {"alun"}
    assert [row["seq"] for row in rows(union, "v_change")] == list(range(1, len(rows(union, "v_change")) + 1))
    assert {(row["partner"], row["records"], row["clusters"]) for row in rows(union, "v_partner_health")} == {
        ("alun", 2, 1),
        ("bukit", 0, 0),
    }
    assert {row["record"] for row in rows(union, "v_merge_log")} >= {"alun/2", "bukit/7"}


def test_the_page_names_every_view_and_every_table() -> None:
    named = set(re.findall(r"^### (v_\w+)$", PAGE, re.MULTILINE))
    assert named == set(views.NAMES)
    tables = set(re.findall(r"^\| `(\w+)` \|", PAGE.partition("## Tables")[2], re.MULTILINE))
    assert tables == set(metadata.tables), "docs/database.md has a line for each table"


def test_an_upgrade_makes_the_views_anew(database: Database) -> None:
    with database.write() as conn:
        conn.exec_driver_sql("DROP VIEW v_change")
    migrate.upgrade(database)
    with database.read() as conn:
        assert conn.execute(text("SELECT count(*) FROM v_change")).scalar_one() == 0


def test_volumes_of_a_set_are_told_apart_by_their_titles(union: Union) -> None:
    titles = ("Sejarah nasional Indonesia. Jilid I", "Sejarah nasional Indonesia. Jilid II : zaman kuno")
    union.night({f"alun/s{number}": Book(title, year="2008") for number, title in enumerate(titles)})
    found = {row["title"] for row in rows(union, "v_cluster") if row["title"].startswith("Sejarah")}
    assert found == set(titles)
