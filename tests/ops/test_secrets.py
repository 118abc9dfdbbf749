"""Secrets in every place where one can be configured, and every output of a night, its commands and its pages."""

from __future__ import annotations

import base64
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import requests

from harvester import log, redact
from harvester.clock import SystemClock
from tests.cli.test_commands import Call
from tests.ops.nights import Nights
from tests.ops.test_mails import SmtpServer
from tests.web.server import WebServer

pytestmark = pytest.mark.slow
CANARIES = {
    name: f"kanari {number}&{name.lower()}/7f3c"
    for number, name in enumerate(
        (
            "QUERY",
            "BASIC",
            "HEADER",
            "BEARER",
            "ZED",
            "SRU",
            "DUMP",
            "SOLR",
            "MAIL",
            "SESSION",
            "FILE",
            "CREDENTIAL",
            "PG",
        )
    )
}
HOOK, PING = "kanari-hook-9d1", "kanari-ping-9d2"  # in addresses: whoever knows them may use them
NOWHERE = "127.0.0.1:9"
PARTNERS = {
    "kueri": ("oai-pmh", "{served}", "{query.kunci: env:QUERY}"),
    "dasar": ("oai-pmh", "{served}", "{username: env:WHO, password: env:BASIC}"),
    "kepala": ("oai-pmh", "{served}", "{header.X-Kunci: env:HEADER}"),
    "pembawa": ("oai-pmh", "{served}", "{bearer: env:BEARER}"),
    "zed": ("z3950", f"z3950://{NOWHERE}/Default", "{username: env:WHO, password: env:ZED}"),
    "sru": ("sru", f"http://{NOWHERE}/sru", "{bearer: env:SRU}"),
    "dump": ("files", f"http://{NOWHERE}/dump.mrc", "{apikey: env:DUMP}"),
    "berkas": ("oai-pmh", f"http://{NOWHERE}/oai", "{apikey: 'file:{folder}/rahasia'}"),
    "kredensial": ("oai-pmh", f"http://{NOWHERE}/oai", "{apikey: 'credential:kunci'}"),
}
COMMANDS = (
    *(
        ("config", "check"),
        ("config", "show"),
        ("doctor",),
        ("nightly",),
        ("nightly", "--json"),
        ("harvest", "zed", "sru"),
    ),
    *(
        ("run", "list"),
        ("run", "show", "1"),
        ("run", "show", "2", "--json"),
        ("partner", "list"),
        ("partner", "show", "kueri"),
    ),
    *(
        ("partner", "show", "zed", "--json"),
        ("partner", "probe", "kueri"),
        ("partner", "probe", "sru"),
        ("publish", "solr"),
    ),
    *(
        ("report", "nightly", "--json"),
        ("report", "calendar"),
        ("quarantine", "list"),
        ("db", "dump"),
        ("db", "verify"),
    ),
    *(("db", "backup", "{folder}/cadangan"), ("scheduler", "due"), ("match",), ("mapping", "check")),
)


def forms(secret: str) -> set[str]:
    """The secret as it is, and as addresses and headers carry it."""
    quoted = {quote(secret), quote(secret, safe=""), quote_plus(secret)}
    return {
        secret,
        *quoted,
        base64.b64encode(secret.encode()).decode(),
        base64.b64encode(f"perpus:{secret}".encode()).decode(),
    }


def leaks(text: str) -> list[str]:
    places = {name: forms(secret) for name, secret in CANARIES.items()} | {"HOOK": {HOOK}, "PING": {PING}}
    return sorted(name for name, told in places.items() if any(one in text for one in told))


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    made = SmtpServer()
    yield made
    made.close()


@pytest.fixture
def union(tmp_path: Path, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nights]:
    """A consortium with a secret in every place; its night has troubles of every kind to talk about."""
    monkeypatch.setattr(SystemClock, "sleep", lambda self, seconds: None)  # nobody waits for those who are away
    for name, secret in CANARIES.items():
        monkeypatch.setenv(name, secret)
    monkeypatch.setenv("WHO", "perpus")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "rahasia").write_text(CANARIES["FILE"] + "\n", encoding="utf-8")
    (tmp_path / "kunci").write_text(CANARIES["CREDENTIAL"] + "\n", encoding="utf-8")
    (tmp_path / "rahasia").chmod(0o600)
    mail = (
        f"server: 127.0.0.1, port: {smtp.port}, security: none, sender: induk@example.org, severity: info, "
        f"recipients: [ops@example.org], partners: true, user: induk, password: env:MAIL, "
        f"webhook: 'http://{NOWHERE}/{HOOK}?token={HOOK}', ping: 'http://{NOWHERE}/ping?token={PING}'"
    )
    config = (
        f"mail: {{{mail}}}\nweb: {{session_secret: env:SESSION}}\noutputs: {{solr: {{kind: solr, "
        f"url: 'http://{NOWHERE}/solr/x', credentials: {{username: env:WHO, password: env:SOLR}}}}}}\n"
    )
    with Nights(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}", ("alun",), config=config) as made:
        for code, (protocol, url, credentials) in PARTNERS.items():
            place = url.replace("{served}", made.simulator.url("alun"))
            known = credentials.replace("{folder}", str(tmp_path))
            (made.consortium.folder / "partners.d" / f"{code}.yaml").write_text(
                f"code: {code}\nname: {code}\ncontact: {code}@example.org\ncredentials: {known}\n"
                f"source: {{protocol: {protocol}, url: '{place}', internal: true}}\n",
                encoding="utf-8",
            )
        yield made


def everything(union: Nights, folder: Path, caplog: pytest.LogCaptureFixture) -> Iterator[tuple[str, str]]:
    """(where, text) of all that comes out."""
    call = Call(union.consortium.folder)
    with caplog.at_level(logging.DEBUG):
        for words in COMMANDS:
            given = [word.replace("{folder}", str(folder)) for word in words]
            yield " ".join(given), repr(call(*given, "-vv", "--yes"))
    yield "the log of the libraries", caplog.text
    with WebServer(union.opened, os.environ) as web:
        for path in ("/metrics", "/readyz", "/healthz", "/api/partners", "/login"):
            yield path, requests.get(web.url + path, timeout=60).text
    kept = {"rahasia", "kunci"}
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in kept:
            yield str(path), path.read_bytes().decode("utf-8", "replace")


def test_secrets_are_used_and_stand_nowhere(
    union: Nights, tmp_path: Path, smtp: SmtpServer, caplog: pytest.LogCaptureFixture
) -> None:
    configured = {"induk.yaml"}  # the two addresses with a key are written there by the operator
    found, seen = {}, 0
    for place, text in everything(union, tmp_path, caplog):
        seen += len(text)
        told = [one for one in leaks(text) if not (Path(place).name in configured and one in ("HOOK", "PING"))]
        if told:
            found[place] = told
    assert found == {}
    assert smtp.mails
    assert [mail.as_string() for mail in smtp.mails if leaks(mail.as_string())] == []
    assert seen > 100_000
    asked = [(one.partner, one.status) for one in union.simulator.requests]
    assert len(asked) > 8, "the partners were asked, secrets and all"


def test_without_the_one_place_the_same_outputs_are_full_of_them(
    union: Nights, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: nothing is taken out, and secrets that were read are shown by their text."""
    from harvester import notifying, sources

    for module in (log, notifying, redact, sources.fetch):
        monkeypatch.setattr(module, "redact", lambda text, secrets=(): text)
    found = {one for _, text in everything(union, tmp_path, caplog) for one in leaks(text)}
    assert found & {"HOOK", "PING"}


def test_a_database_that_is_away_is_told_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PG", f"postgresql+psycopg://induk:{quote(CANARIES['PG'], safe='')}@{NOWHERE}/induk")
    (tmp_path / "induk.yaml").write_text("name: Uji\ndatabase: env:PG\n", encoding="utf-8")
    call = Call(tmp_path)
    for words in (("doctor",), ("nightly",), ("db", "verify"), ("run", "list"), ("config", "show"), ("db", "backup")):
        told = repr(call(*words, "-vv", "--yes"))
        assert leaks(told) == [], words
