"""What people read in the morning: golden mails in both languages, sent over a real SMTP connection."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harvester import notifying, reporting
from harvester.model import Partner
from harvester.reports import nightly
from harvester.reports.nightly import NightReport, SourceNight, Task
from harvester.reports.phrases import PHRASES
from harvester.settings_schema import Mail
from tests import canaries
from tests.ops.nights import Nights

GOLDEN = Path(__file__).with_name("golden")
BASE = "https://induk.example.org"


NAMES = {
    "ugm": ("Perpustakaan UGM", "UGM Library"),
    "desa": ("Perpustakaan Desa Sukamaju", "Sukamaju Village Library"),
}


def source(code: str, state: str = "good", **more: Any) -> SourceNight:
    verdict = {"good": "complete", "down": "failed", "tolerated": "failed", "held": "halted"}.get(state, state)
    verdict = more.pop("verdict", verdict)
    return SourceNight(code, *NAMES.get(code, (code, code)), state, verdict, **more)


UGM = source("ugm", received=1240, created=12, updated=31, unchanged=1190, deleted=4, quarantined=3, active=48_210)
DESA = source("desa", received=18, created=18, active=640)
UNION = {"records": 48_850, "clusters": 41_207, "changes": 61, "queued": 0}
REFUSED = "desa: https://desa.example.id/oai: no answer within 60 s"
DOWN = source("desa", "down", reason=REFUSED, run=77, bad_nights=1, active=622)


def report(*sources: SourceNight, tasks: tuple[Task, ...] = (), recovered: tuple[str, ...] = ()) -> NightReport:
    names = ("received", "created", "updated", "deleted", "quarantined")
    totals = {name: sum(getattr(one, name) for one in sources) for name in names}
    verdict, code = nightly.judge(sources, tasks)
    rank = nightly.severity(tasks, recovered, code)
    return NightReport("2026-03-03", verdict, code, rank, sources, tasks, totals, UNION, recovered=recovered)


def down(nights: int) -> NightReport:
    one = msgspec.structs.replace(DOWN, bad_nights=nights)
    task = Task("down", "down:desa", "induk run show 77", f"{BASE}/runs/77", "desa", REFUSED, nights, news=nights == 1)
    return report(UGM, one, tasks=(task,))


def waiting(kind: str, reason: str, days: int) -> NightReport:
    state = {"gate": "held", "deletions": "halted"}[kind]
    command = "induk run approve 81  |  induk run reject 81"
    task = Task(kind, f"{kind}:ugm", command, f"{BASE}/runs/81", "ugm", reason, days, news=days in (0, 1, 3, 7))
    one = msgspec.structs.replace(UGM, state=state, verdict="halted", reason=reason, run=81)
    return report(one, DESA, tasks=(task,))


LONG_AGO = "2026-02-20T18:03:00Z"
STALE = Task("stale", "stale:desa", "induk partner show desa", f"{BASE}/partners/desa", "desa", since=LONG_AGO)
QUEUE = Task("queue", "queue", "induk match review", f"{BASE}/review", count=1380, before=1104)
MANY = "1,302 of 48,210 records would be deleted; at most 964 go without approval"
CASES: dict[str, NightReport] = {
    "quiet": report(
        msgspec.structs.replace(UGM, received=0, created=0, updated=0, deleted=0, quarantined=0),
        msgspec.structs.replace(DESA, received=0, created=0),
    ),
    "normal": report(UGM, DESA),
    "waiting": msgspec.structs.replace(report(UGM, DESA), catalogue={**UNION, "pairs": 9, "held": 4, "waiting": 13}),
    "down-day-1": down(1),
    "down-day-2": down(2),
    "down-day-7": down(7),
    "recovered": report(UGM, DESA, recovered=("desa",)),
    "halted-deletion": waiting("deletions", MANY, 0),
    "held-gate": waiting("gate", "1,118 of 1,240 records cannot be mapped, 3 of 1,204 before", 3),
    "stale": report(UGM, source("desa", "idle", stale=True, since=LONG_AGO), tasks=(STALE,)),
    "queue-growth": report(UGM, DESA, tasks=(QUEUE,)),
}


def letter(name: str, language: str) -> str:
    found = CASES[name]
    return "\n".join([nightly.subject(found, language), "", *nightly.lines(found, language), ""])


@pytest.mark.parametrize("language", ["en", "id"])
@pytest.mark.parametrize("name", CASES)
def test_a_mail_reads_as_it_always_did(name: str, language: str) -> None:
    assert letter(name, language) == (GOLDEN / f"{name}.{language}.txt").read_text(encoding="utf-8")


def numbers(text: str) -> set[str]:
    """Every number in a text, without the separators of thousands."""
    return set(re.findall(r"\d+", re.sub(r"(?<=\d)[.,](?=\d{3})", "", text)))


@pytest.mark.parametrize("language", ["en", "id"])
@pytest.mark.parametrize("name", CASES)
def test_a_mail_is_short_and_its_numbers_are_those_of_the_report_as_json(name: str, language: str) -> None:
    found = CASES[name]
    assert len(letter(name, language).splitlines()) <= nightly.LONGEST <= 40
    good = sum(one.state == "good" for one in found.sources)
    counted = {str(one) for one in (good, len(found.sources), len(found.tasks), *range(1, len(found.tasks) + 1))}
    assert numbers(letter(name, language)) <= numbers(msgspec.json.encode(found).decode()) | counted


def test_a_thousand_troubles_are_still_one_short_mail() -> None:
    sources = tuple(source(f"p{number}", "down", reason="x" * 4000 + "\x1b[2J\n", run=number) for number in range(1000))
    tasks = tuple(Task("down", one.source, "induk run show 1", "", one.source, one.reason, 1) for one in sources)
    for language in ("en", "id"):
        text = nightly.lines(report(*sources, tasks=tasks), language)
        assert len(text) <= nightly.LONGEST
        assert all(len(line) < 300 and line.isprintable() for line in text)


def test_both_languages_have_the_same_places_in_every_sentence() -> None:
    from string import Formatter

    for key, texts in PHRASES.items():
        places = [sorted({name for _, name, _, _ in Formatter().parse(text) if name}) for text in texts]
        assert places[0] == places[1], key


@pytest.mark.parametrize(("threshold", "told"), [("info", 11), ("warning", 8), ("error", 4)])
def test_a_mail_goes_out_from_the_severity_that_was_asked_for(threshold: str, told: int) -> None:
    mail = Mail(recipients=("ops@example.org id",), severity=threshold)  # type: ignore[arg-type]
    assert sum(len(notifying.letters(one, mail, "en")) for one in CASES.values()) == told


def test_each_recipient_reads_the_language_it_asked_for() -> None:
    mail = Mail(recipients=("a@example.org", "b@example.org id", "c@example.org en"), severity="info")
    found = notifying.letters(CASES["down-day-1"], mail, "id")
    assert ["malam" in one.subject for one in found] == [True, True, False]


def test_a_partner_is_told_about_its_own_with_hints() -> None:
    partner = Partner("desa", "Perpustakaan Desa", "Village Library", contact="pustaka@desa.example.id id")
    reasons = [{"source": "desa", "stage": "decode", "reason": "no-charset", "number": 4, "example": "B17"}]
    found = notifying.partner_letter(partner, [DOWN], reasons, "2026-03-03", "en")
    assert found is not None
    assert found.to == "pustaka@desa.example.id"
    assert "Petunjuk: ekspor dalam UTF-8" in found.text
    assert notifying.partner_letter(partner, [DESA], reasons, "2026-03-03", "en") is None


# ---- sent ----------------------------------------------------------------------------------------------


ANSWERS = {b"QUIT": b"221 bye\r\n", b"EHLO": b"250-test\r\n250 AUTH PLAIN\r\n", b"AUTH": b"235 come in\r\n"}


class SmtpServer:
    """An SMTP server on loopback that keeps what it gets."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.get_loop().call_soon_threadsafe(self._stop.set_result, None)
        self._thread.join(5)

    async def _serve(self) -> None:
        self._stop = asyncio.get_running_loop().create_future()
        async with await asyncio.start_server(self._talk, sock=self._listening):
            await self._stop

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 test\r\n")
        while line := await reader.readline():
            word = line[:4].upper()
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                body = await reader.readuntil(b"\r\n.\r\n")
                canaries.saw("a mail", body)
                self.mails.append(message_from_bytes(body[:-5], policy=policy.default))
            writer.write(ANSWERS.get(word, b"250 ok\r\n"))
            await writer.drain()
            if word == b"QUIT":
                break
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    made = SmtpServer()
    yield made
    made.close()


class Hook(BaseHTTPRequestHandler):
    """Keeps every request."""

    asked: list[tuple[str, str, bytes]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        canaries.saw("a webhook", self.path, body)
        self.asked.append((self.command, self.path, body))
        self.send_response(204)
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *_: Any) -> None:
        return None


@pytest.fixture
def hook() -> Iterator[str]:
    Hook.asked.clear()
    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_nights_are_told_by_mail_and_webhook_with_the_numbers_of_the_report(
    tmp_path: Path, smtp: SmtpServer, hook: str
) -> None:
    config = (
        f"mail: {{server: 127.0.0.1, port: {smtp.port}, security: none, sender: induk@example.org, severity: error, "
        f"recipients: [ops@example.org id], webhook: '{hook}/hook', ping: '{hook}/ping?token=abcdef'}}\n"
    )
    with Nights(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}", ("alun", "bukit"), config=config) as union:
        union.work()
        assert smtp.mails == []  # a good night is no news at this threshold
        assert [one[1] for one in Hook.asked] == ["/ping?token=abcdef"]
        union.down("bukit")
        for _ in range(3):
            union.tomorrow()
            last = union.work()
        assert len(smtp.mails) == 1  # told once; not every night
        [mail] = smtp.mails
        assert mail["To"] == "ops@example.org"
        assert mail["Subject"].startswith("[Induk] malam 2026-03-04: sebagian, 1 tugas")
        assert "bukit" in mail.get_content()
        posted = msgspec.json.decode(next(body for verb, path, body in Hook.asked if path == "/hook"))
        assert posted["exit"] == 1
        assert posted["totals"]["received"] == reporting.report(union.opened, "2026-03-04").totals["received"]
        assert last.severity == "warning"


def test_a_mail_server_that_is_away_changes_no_verdict(tmp_path: Path) -> None:
    server = "server: 127.0.0.1, port: 9, security: none"
    config = f"mail: {{{server}, sender: a@b.org, severity: info, recipients: [c@d.org]}}\n"
    with Nights(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}", ("alun",), config=config) as union:
        assert union.work().exit == 0
        assert union.sent == []


def test_a_name_with_a_line_break_makes_no_header(tmp_path: Path) -> None:
    with Nights(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}", ("alun",)) as union:
        bad = notifying.Letter("ops@example.org", "x\r\nBcc: all@example.org", "text")
        with pytest.raises(ValueError, match=r"linefeed|newline|return"):
            notifying.message(bad, Mail(sender="induk@example.org"), union.opened)


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for case in CASES:
        for tongue in ("en", "id"):
            (GOLDEN / f"{case}.{tongue}.txt").write_text(letter(case, tongue), encoding="utf-8")
