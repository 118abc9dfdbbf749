"""Secrets are sent where they belong and shown nowhere: messages, tracebacks, logs of ours and of the libraries."""

from __future__ import annotations

import base64
import traceback
from urllib.parse import quote, quote_plus

import pytest

from harvester.errors import ConfigError, IndukError
from harvester.model import Source
from harvester.redact import redact
from harvester.sources import Environment, Limits
from harvester.sources.fetch import Fetcher
from tests.canaries import SECRETS
from tests.sources import naive_harvester
from tests.sources.outcome import fetcher
from tests.sources.scripted_server import Reply, ScriptedServer, TestClock, in_turn

BASIC = {"username": "perpus", "password": SECRETS["basic"]}
KEYS = {"bearer": SECRETS["bearer"], "query.kunci": SECRETS["query"], "header.X-Key": SECRETS["header"]}


ANSWERS = [
    Reply(b"", 500),
    Reply(b"", 401),
    Reply(b"", 403),
    Reply(b"", 404),
    Reply(reset=True),
    Reply(b"<html><title>x</title></html>"),
    Reply(b"", 302, (("Location", f"http://lain.example/?kunci={quote(SECRETS['query'])}"),)),
    Reply(b"", 302, (("Location", f"http://perpus:{quote_plus(SECRETS['basic'])}@lain.example/"),)),
    Reply(bytes(3 << 20)),
    Reply(raw=[b"nonsense\r\n\r\n"]),
]


@pytest.mark.parametrize("credentials", [BASIC, KEYS], ids=["Basic", "keys"])
@pytest.mark.parametrize("answer", ANSWERS, ids=[str(number) for number in range(len(ANSWERS))])
def test_no_secret_stands_in_any_message(
    answer: Reply, credentials: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    logged: list[object] = []
    environment = Environment(
        clock=TestClock(),
        limits=Limits(response_mib=1, delay_seconds=0, attempts=2),
        log=lambda event, **values: logged.append((event, values)),
    )
    with caplog.at_level("DEBUG"), ScriptedServer(in_turn(answer)) as server:
        source = Source(
            code="p", protocol="oai-pmh", url=server.url, internal=True, credentials=tuple(credentials.items())
        )
        try:
            shown = Fetcher(source, environment).get(arguments=(("verb", "Identify"),)).url
        except IndukError as error:
            shown = "".join(traceback.format_exception(error)) + repr(error.__dict__)
    shown += repr(logged) + caplog.text
    assert server.requests, "the request was made, secrets and all"
    for secret in set(credentials.values()) - {"perpus"}:
        for form in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret)):
            assert form not in shown
    assert base64.b64encode(f"perpus:{SECRETS['basic']}".encode()).decode() not in shown


def test_requests_puts_the_key_into_its_messages() -> None:
    """Red proof: this is what the naive harvester prints."""
    error = naive_harvester.harvest("http://127.0.0.1:9/oai?kunci=canary").error
    assert "canary" in str(error)


def test_keys_are_sent_but_not_logged_by_the_libraries(caplog: pytest.LogCaptureFixture) -> None:
    """urllib3 logs whole addresses at DEBUG; the key is added behind its back."""
    credentials = (("query.apikey", SECRETS["query"]),)
    with caplog.at_level("DEBUG"), ScriptedServer(in_turn(Reply(b"<a/>"))) as server:
        one = fetcher(server.url, credentials=credentials)
        one.get(arguments=(("verb", "Identify"),))
        one.get()
        one.post(arguments=(("verb", "Identify"),))
    assert [request.target for request in server.requests] == [
        f"/oai?verb=Identify&apikey={quote(SECRETS['query'], safe='')}",
        f"/oai?apikey={quote(SECRETS['query'], safe='')}",
        f"/oai?apikey={quote(SECRETS['query'], safe='')}",
    ]
    assert SECRETS["query"] not in caplog.text


@pytest.mark.parametrize("name", ["passwort", "query.", "token"])
def test_an_unknown_credential_is_the_operators_mistake(name: str) -> None:
    with pytest.raises(ConfigError, match="unknown credential"):
        fetcher("http://127.0.0.1/", credentials=((name, "x"),))


def test_a_header_cannot_carry_a_second_one() -> None:
    with pytest.raises(ConfigError, match="line break"):
        fetcher("http://127.0.0.1/", credentials=(("bearer", "x\r\nX-Other: y"),))


REDACTED = [
    ("http://user:pass@h.example/x", "http://***@h.example/x"),
    ("GET /oai?verb=Identify&api_key=abc&x=1", "GET /oai?verb=Identify&api_key=***&x=1"),
    ("Authorization: Bearer abcdefghij", "Authorization: Bearer ***"),
    ("the key is s3cret", "the key is ***"),
    ("the key is s3%20cret", "the key is s3%20cret"),
    ("resumptionToken=abc&from=2026", "resumptionToken=abc&from=2026"),
]


@pytest.mark.parametrize(("text", "shown"), REDACTED)
def test_secrets_are_taken_out_of_texts(text: str, shown: str) -> None:
    assert redact(text, ["s3cret"]) == shown
