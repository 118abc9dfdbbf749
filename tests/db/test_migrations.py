"""Every step of the schema leads to the tables as they are written down, on both databases."""

from __future__ import annotations

import json

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from db import catalogue, migrate, placing, review
from db.engine import Database
from db.tables import metadata
from harvester.errors import ConfigError


def test_there_is_one_head_and_one_way_to_it(tmp_path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    with database.write() as conn:
        script = ScriptDirectory.from_config(migrate.config(conn))
        assert len(script.get_heads()) == 1
        assert len(script.get_bases()) == 1
    database.close()


def ours(thing: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:
    """Whether both should know it: the full-text index is made by each database, one foreign key is SQLite's alone."""
    if kind == "foreign_key_constraint":
        return name != "fk_match_key_node_id"
    return kind != "table" or not str(name).startswith("cluster_text")


def test_the_migrated_schema_is_the_one_in_tables(database: Database) -> None:
    with database.read() as conn:
        options = {"compare_type": False, "include_object": ours}
        context = MigrationContext.configure(conn, opts=options)
        assert compare_metadata(context, metadata) == []


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    assert migrate.upgrade(database) == (migrate.head(), migrate.head())


def test_an_empty_database_is_refused_with_the_command_that_helps(database_url: str) -> None:
    empty = Database(database_url)
    with pytest.raises(ConfigError, match="induk db upgrade"):
        migrate.require(empty)
    empty.close()


def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    with database.write() as conn:
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigError, match="newer"):
        migrate.require(database)
    with pytest.raises(ConfigError, match="newer"):
        migrate.upgrade(database)


@pytest.mark.slow
def test_the_catalogue_is_packed_without_losing_a_word(database_url: str) -> None:
    """From 0012: lines of the merge log with what is looked for in them, and union records."""
    told = {"record": "timur/Š1", "with": "barat/2", "score": 17.5, "evidence": [{"feature": "isbn", "points": 17.5}]}
    bodies = [json.dumps(told), json.dumps({"decision": 3, "action": "split"}), "{}"]
    union = {"record": {"title": {"proper": "Bumi manusia 😀"}}, "members": ["barat/2", "timur/Š1"]}
    database = Database(database_url)
    with database.write() as conn:
        command.upgrade(migrate.config(conn), "0012")
        conn.exec_driver_sql(
            "INSERT INTO cluster (id, state, size, version, doc_hash, created_at, changed_at)"
            " VALUES (1, 'active', 2, 1, '', '', '')"
        )
        line = (
            "INSERT INTO cluster_event (cluster_id, kind, actor, run_id, at, body)"
            " VALUES (1, 'joined', 'match', 1, '', :body)"
        )
        conn.execute(text(line), [{"body": body} for body in bodies])
        conn.execute(text("INSERT INTO union_record VALUES (1, :body)"), [{"body": json.dumps(union)}])
    migrate.upgrade(database)
    with database.read() as conn:
        assert [json.loads(row["body"]) for row in catalogue.events(conn, 1)] == [json.loads(one) for one in bodies]
        assert catalogue.union_bodies(conn, [1]) == {1: union}
        addresses = conn.exec_driver_sql("SELECT record, other_record FROM v_merge_log ORDER BY event_id").all()
    assert [tuple(row) for row in addresses] == [("timur/Š1", "barat/2"), (None, None), (None, None)]
    database.close()


@pytest.mark.slow
def test_kinds_and_reasons_become_numbers_of_words(database_url: str) -> None:
    """From 0013: two nodes with a key of the same kind, and the decision on them."""
    database = Database(database_url)
    with database.write() as conn:
        command.upgrade(migrate.config(conn), "0013")
        for number in (1, 2):
            node = "INSERT INTO node (id, profile_hash, solid, profile) VALUES (:id, :hash, :solid, :hash)"
            conn.execute(text(node), {"id": number, "hash": bytes([number]) * 16, "solid": True})
            key = "INSERT INTO match_key (hash, node_id, kind, likeness) VALUES (-7, :id, 'isbn', :id)"
            conn.execute(text(key), {"id": number})
        conn.exec_driver_sql(
            "INSERT INTO decision (left_node, right_node, verdict, score, reason, derivation_id, run_id)"
            " VALUES (1, 2, 'veto', 3.5, 'Šifra: different', 1, 1)"
        )
    migrate.upgrade(database)
    with database.read() as conn:
        assert sorted(placing.keys_of(conn, [1, 2])) == [(1, "isbn", -7, 1), (2, "isbn", -7, 2)]
        decided = catalogue.decision_between(conn, 2, 1) or {}
        assert (decided["reason"], decided["score"], decided["evidence"]) == ("Šifra: different", 3.5, b"")
        assert review.reasons(conn, [1]) == {(1, 2): "Šifra: different"}
    database.close()
