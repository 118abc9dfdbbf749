"""The SQL views, which reports and other programs may build on: docs/database.md is their contract, tests hold to it.

They show the present state under today's policies: nothing of withheld records or fields, values as filtered. The
tables behind them are private. A change of a column is a change of the contract: announce it in the changelog.
"""

from __future__ import annotations

from sqlalchemy import Connection

# Cluster ids are numbers here and texts elsewhere. {…} are the places where the databases differ.
_VIEWS = {
    "v_cluster": """
        SELECT c.id AS cluster_id, b.title, b.author, b.year, b.material, b.language,
               b.members, b.partners, c.created_at, c.changed_at
        FROM cluster c JOIN cluster_brief b ON b.cluster_id = c.id
        WHERE c.state = 'active' AND b.partners > 0
    """,
    "v_member": """
        SELECT m.cluster_id, s.code AS source, r.identifier, s.partner, r.format, r.datestamp
        FROM membership m
        JOIN record r ON r.id = m.record_id AND r.state = 'active'
        JOIN source s ON s.id = r.source_id
        WHERE NOT EXISTS (SELECT 1 FROM hidden_member h WHERE h.record_id = m.record_id)
    """,
    "v_identifier": "SELECT kind, value, cluster_id FROM identifier",
    "v_holding": """
        SELECT h.cluster_id, s.code AS source, r.identifier, h.partner, h.branch, h.call_number, h.copies,
               {lending} AS lending
        FROM holding h
        JOIN record r ON r.id = h.record_id AND r.state = 'active'
        JOIN source s ON s.id = r.source_id
    """,
    "v_merge_log": """
        SELECT id AS event_id, cluster_id, kind, actor, run_id, at, nullif(record, '') AS record,
               nullif(other, '') AS other_record, score
        FROM cluster_event WHERE record NOT IN ({hidden}) AND other NOT IN ({hidden})
    """,
    "v_change": """
        SELECT c.seq, c.batch, c.kind, c.cluster_id, c.target_id, c.at, f.epoch
        FROM change c JOIN feed_counter f ON f.id = 1
        WHERE c.seq <= f.released
    """,
    "v_partner_health": """
        SELECT p.code AS partner, p.status,
               (SELECT count(*) FROM record r JOIN source s ON s.id = r.source_id
                WHERE s.partner = p.code AND r.state = 'active') AS records,
               (SELECT count(*) FROM cluster_partner c WHERE c.partner = p.code AND c.here) AS clusters,
               (SELECT count(*) FROM quarantine q JOIN source s ON s.id = q.source_id
                WHERE s.partner = p.code AND q.state = 'open') AS quarantined,
               (SELECT max(u.started_at) FROM run u JOIN source s ON s.id = u.source_id
                WHERE s.partner = p.code) AS last_run_at,
               (SELECT u.verdict FROM run u JOIN source s ON s.id = u.source_id
                WHERE s.partner = p.code ORDER BY u.id DESC LIMIT 1) AS last_verdict,
               (SELECT max(u.started_at) FROM run u JOIN source s ON s.id = u.source_id
                WHERE s.partner = p.code AND u.verdict = 'complete') AS last_complete_at
        FROM partner p
    """,
}
_HIDDEN = """
    SELECT s.code || '/' || r.identifier FROM hidden_member h
    JOIN record r ON r.id = h.record_id JOIN source s ON s.id = r.source_id
"""
NAMES = tuple(_VIEWS)


def create(conn: Connection) -> None:
    """Make every view."""
    for name, text in _VIEWS.items():
        query = text.format(hidden=_HIDDEN, **_dialect(conn))
        conn.exec_driver_sql(f"CREATE VIEW {name} AS {query}".replace("%", "%%"))


def drop(conn: Connection) -> None:
    """Take every view away: a table that a migration replaces must not carry one."""
    for name in reversed(NAMES):
        conn.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")


def _dialect(conn: Connection) -> dict[str, str]:
    if conn.dialect.name == "sqlite":
        return {"lending": "coalesce(json_extract(h.body, '$.lending'), '')"}
    return {"lending": "coalesce(h.body::json ->> 'lending', '')"}
