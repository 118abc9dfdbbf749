"""The search for secrets over all tests finds what it is to find: a search that finds nothing proves nothing."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests import canaries

FORMS = {
    "as it is": lambda secret: secret.encode(),
    "quoted": lambda secret: quote(secret, safe="").encode(),
    "quoted for a form": lambda secret: quote_plus(secret).encode(),
    "Basic": lambda secret: base64.b64encode(f"perpus:{secret}".encode()),
    "Basic, one letter more": lambda secret: base64.b64encode(f"perpus1:{secret}".encode()),
    "Basic, two letters more": lambda secret: base64.b64encode(f"perpus12:{secret}".encode()),
    "Base64 for addresses": lambda secret: base64.urlsafe_b64encode(secret.encode()),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", canaries.SECRETS)
def test_every_canary_is_found_in_every_form(place: str, form: str, tmp_path: Path) -> None:
    told = b"401 for " + FORMS[form](canaries.SECRETS[place]) + b" at http://x.example/"
    assert canaries.shows(told)
    (tmp_path / "report.json").write_bytes(told)
    (tmp_path / "dump.jsonl.gz").write_bytes(gzip.compress(told))
    (tmp_path / canaries.FOLDER).mkdir()
    (tmp_path / canaries.FOLDER / "where it belongs").write_bytes(told)
    assert {path.name for path in canaries.below(tmp_path)} == {"report.json", "dump.jsonl.gz"}
    for path in list(canaries.below(tmp_path)):
        path.unlink()


def test_the_password_of_a_database_may_stand_in_its_settings_only(tmp_path: Path) -> None:
    for name in ("induk.yaml", "other.yaml"):
        (tmp_path / name).write_text(f"database: postgresql://induk:{canaries.DATABASE}@h/induk\n", encoding="utf-8")
    [found] = canaries.below(tmp_path)
    assert found.name == "other.yaml"
    found.unlink()


def test_what_was_seen_is_told_once() -> None:
    canaries.saw("a mail", "nothing", canaries.SECRETS["mail"])
    canaries.saw("a page", b"nothing")
    assert canaries.taken() == ["a mail"]
    assert canaries.taken() == []
