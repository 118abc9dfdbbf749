"""Rules are tried on the stored catalogue, put in force only when asked twice, and rolled back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.desk import Desk

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A consortium of its own: its rules change."""
    with Desk(tmp_path_factory.mktemp("rules")).open() as made:
        yield made


def test_rules_are_tried_promoted_with_a_second_confirmation_and_rolled_back(own: Desk) -> None:
    session = own.session("ani")
    now = session.see("/rules.json").json()
    stricter = now["text"].replace(f"merge: {now['merge_at']:g}", f"merge: {now['merge_at'] + 8:g}", 1)
    assert stricter != now["text"]

    tried = session.send_form("/rules/try", text=stricter)
    assert tried.status_code == 200
    assert 'action="/rules/promote"' in tried.text
    assert session.see("/rules.json").json()["hash"] == now["hash"]

    asked = session.send_form("/rules/promote", text=stricter, reason="too eager")
    assert asked.status_code == 200
    assert 'name="sure"' in asked.text
    assert session.see("/rules.json").json()["hash"] == now["hash"]

    done = session.send_form("/rules/promote", text=stricter, reason="too eager", sure="yes")
    assert done.status_code == 303, done.text[-800:]
    assert session.see("/rules.json").json()["merge_at"] == now["merge_at"] + 8

    assert session.send_form("/rules/rollback", reason="").status_code == 422
    assert session.send_form("/rules/rollback", reason="not better").status_code == 303
    assert session.see("/rules.json").json()["hash"] == now["hash"]
    actions = [row["action"] for row in session.see("/audit.json").json()["rows"]]
    assert actions[:2] == ["rules rolled back", "rules promoted"]


def test_a_rule_file_with_mistakes_is_refused_with_their_places(own: Desk) -> None:
    answer = own.session("ani").send_form("/rules/try", text="thresholds: {merge: many}\n")
    assert answer.status_code == 200
    assert "match.yaml" in answer.text
    assert 'class="trouble"' in answer.text
