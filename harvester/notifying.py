"""Who is told what about a night: one digest by mail and webhook, partners about their own, a sign of life.

Trouble is told at once when it is new, then once a night in the digest, and once when it is over. A mail that cannot
be sent is logged and changes no verdict: the report stands in the catalogue, and the dead man's switch stays silent.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterable, Mapping
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

import msgspec
import requests

from db import nights
from harvester.model import Partner
from harvester.pipeline import Pipeline
from harvester.redact import host_only, redact
from harvester.reporting import note_told
from harvester.reports import nightly
from harvester.reports.nightly import RANK, NightReport, SourceNight
from harvester.reports.phrases import LANGUAGES, phrase
from harvester.settings_schema import Mail

SECONDS = 20
SENT = "sent"  # notes of the mails of a night


class Letter(msgspec.Struct, frozen=True):
    """One mail."""

    to: str
    subject: str
    text: str


def recipients(told: Iterable[str], usual: str) -> list[tuple[str, str]]:
    """(address, language) of each recipient: `ops@example.org`, or `ops@example.org id`."""
    found = []
    for one in told:
        address, _, language = one.strip().partition(" ")
        found.append((address, language.strip() if language.strip() in LANGUAGES else usual))
    return found


def letters(report: NightReport, mail: Mail, usual: str) -> list[Letter]:
    """The digest for each recipient, if the night is worth it."""
    if RANK[report.severity] < RANK[mail.severity]:
        return []
    return [
        Letter(address, nightly.subject(report, language), "\n".join([*nightly.lines(report, language), ""]))
        for address, language in recipients(mail.recipients, usual)
    ]


# ---- partners ------------------------------------------------------------------------------------------


def partner_letter(
    partner: Partner, mine: Iterable[SourceNight], reasons: Iterable[Mapping[str, object]], night: str, usual: str
) -> Letter | None:
    """What a partner is told about its own: only when a run of its failed tonight, or new records could not be used."""
    troubled = [one for one in mine if one.state in ("down", "tolerated", "empty") or one.quarantined]
    if not partner.contact or not troubled:
        return None
    address, language = recipients([partner.contact], usual)[0]
    name = (partner.name_id if language == "id" else partner.name_en) or partner.code
    text: list[str] = []
    for one in troubled:
        verdict = phrase(one.verdict, language)
        silent = phrase("no_records", language) if one.state == "empty" else ""
        reason = nightly.shortened(one.reason, language) or silent
        text.append(phrase("partner_run", language, source=one.source, verdict=verdict, reason=reason).strip())
        text.append(phrase("partner_counts", language, active=one.active, quarantined=one.held))
    found = list(reasons)
    text += ["", phrase("partner_reasons", language)] if found else []
    for row in found:
        reason = nightly.shortened(str(row["reason"]), language)
        text.append(f"- {row['number']} × {reason} ({row['source']}/{row['example']})")
        text.append("  " + phrase("partner_hint", language, hint=phrase(f"hint_{row['stage']}", language)))
    return Letter(address, phrase("partner_subject", language, name=name, night=night), "\n".join([*text, ""]))


# ---- sending -------------------------------------------------------------------------------------------


def tell(pipeline: Pipeline, report: NightReport, environ: Mapping[str, str], *, end: bool = True) -> list[Letter]:
    """Send what the night is worth, and note what people know now. Returns the mails that went out.

    *end*: the night is over. Before that only news of trouble goes out, and each piece of it once.
    """
    mail = pipeline.settings.mail
    fresh, ended = _known(pipeline, report)
    end = end and not ended
    if not end and (report.severity != "error" or not fresh):
        return []
    found = letters(report, mail, pipeline.settings.language)
    if end and mail.partners:
        found += _partners(pipeline, report)
    sent = _send(pipeline, mail, found, environ) if mail.server and mail.sender else []
    if mail.webhook and RANK[report.severity] >= RANK[mail.severity]:
        _call(pipeline, "webhook", mail.webhook, msgspec.json.encode(report))
    if end and mail.ping and report.exit != 4:
        _call(pipeline, "ping", mail.ping, None)
    _note(pipeline, report, end)
    return sent


def _known(pipeline: Pipeline, report: NightReport) -> tuple[set[str], bool]:
    """(the tasks that were not told this night, whether its digest went out)."""
    with pipeline.database.read() as conn:
        sent = nights.notes(conn, SENT)
    here = sent.get("night") == report.night
    told = set(sent.get("keys", ())) if here else set()
    return {task.key for task in report.tasks if task.news} - told, here and bool(sent.get("ended"))


def _note(pipeline: Pipeline, report: NightReport, end: bool) -> None:
    with pipeline.database.write() as conn:
        sent = nights.notes(conn, SENT)
        before = sent if sent.get("night") == report.night else {}
        keys = sorted({*before.get("keys", ()), *(task.key for task in report.tasks)})
        ended = end or bool(before.get("ended"))
        nights.keep_notes(conn, SENT, {"night": report.night, "keys": keys, "ended": ended})
    note_told(pipeline, report)


def _partners(pipeline: Pipeline, report: NightReport) -> list[Letter]:
    by_source = {one.source: one for one in report.sources}
    found = []
    for partner in pipeline.settings.partners:
        mine = [by_source[one.code] for one in partner.sources if one.code in by_source]
        with pipeline.database.read() as conn:
            reasons = nights.quarantine_reasons(conn, [one.source for one in mine])
        letter = partner_letter(partner, mine, reasons, report.night, pipeline.settings.language)
        found += [letter] if letter else []
    return found


def message(letter: Letter, mail: Mail, pipeline: Pipeline) -> EmailMessage:
    """The mail as it goes out; a line break in an address or subject is an error, not a header."""
    made = EmailMessage()
    made["From"], made["To"] = mail.sender, letter.to
    made["Subject"] = redact(letter.subject)
    made["Date"] = format_datetime(pipeline.clock.now())
    made["Message-ID"] = make_msgid(domain=mail.sender.rpartition("@")[2] or "induk")
    made["Auto-Submitted"] = "auto-generated"  # out-of-office replies stay away (RFC 3834)
    made.set_content(redact(letter.text))
    return made


def _send(pipeline: Pipeline, mail: Mail, found: list[Letter], environ: Mapping[str, str]) -> list[Letter]:
    """Send them over one connection; what cannot be sent is logged."""
    if not found:
        return []
    sent: list[Letter] = []
    try:
        with _server(mail) as server:
            if mail.user and mail.password:
                server.login(mail.user, mail.password.reveal(environ))
            for letter in found:
                try:
                    server.send_message(message(letter, mail, pipeline))
                    sent.append(letter)
                except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError, ValueError) as error:
                    pipeline.log("mail_refused", to=letter.to, error=redact(str(error)))
    except (OSError, smtplib.SMTPException) as error:
        pipeline.log("mail_failed", server=mail.server, error=redact(str(error)))
    return sent


def _server(mail: Mail) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if mail.security == "tls":
        return smtplib.SMTP_SSL(mail.server, mail.port, timeout=SECONDS, context=context)
    server = smtplib.SMTP(mail.server, mail.port, timeout=SECONDS)
    if mail.security == "starttls":
        try:
            server.starttls(context=context)
        except (OSError, smtplib.SMTPException):
            server.close()
            raise
    return server


def _call(pipeline: Pipeline, name: str, url: str, body: bytes | None) -> None:
    """Ask *url*, with *body* by POST; the answer does not matter, its absence is logged without the address's key."""
    headers = {"User-Agent": f"induk ({pipeline.settings.contact})", "Content-Type": "application/json"}
    try:
        method = "GET" if body is None else "POST"
        with requests.request(
            method, url, data=body, headers=headers, timeout=SECONDS, allow_redirects=False
        ) as answer:
            if answer.status_code >= 400:
                pipeline.log(f"{name}_failed", url=host_only(url), error=f"status {answer.status_code}")
    except requests.RequestException as error:
        pipeline.log(f"{name}_failed", url=host_only(url), error=type(error).__name__)
