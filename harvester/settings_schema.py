"""Every setting of induk.yaml and of a partner file, once: its name, type, default and one line of documentation.

`induk config show|schema`, the commented file of `induk init` and docs/settings.md are made from these classes.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args, get_type_hints
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic_core.core_schema import ValidationInfo
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from harvester.model import NormalizedRecord
from harvester.registry import suggestion
from harvester.secret import Revealed, Secret, is_reference

CONFIG_NAME = "induk.yaml"
PARTNERS_FOLDER = "partners.d"

CODE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HOURS = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")
_USERINFO = re.compile(r"://[^/?#]*@")
_CRON = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_CRON_NAMES: tuple[dict[str, int], ...] = (
    {},
    {},
    {},
    {name: number for number, name in enumerate(_MONTHS, 1)},
    {name: number for number, name in enumerate(_WEEKDAYS)},
)


# ---- checks of one value ------------------------------------------------------------------------------


def check_code(text: str) -> str:
    """*text*, when it can name a partner, a source or an output."""
    if not CODE.fullmatch(text):
        raise ValueError(f"{text!r} is no code: small letters a-z, digits and - only, at most 63")
    return text


def check_timezone(text: str) -> str:
    """*text*, when the time zone data base knows it."""
    try:
        ZoneInfo(text)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{text!r} is no time zone (Asia/Jakarta, Asia/Makassar, Asia/Jayapura, UTC …)") from error
    return text


def check_cron(text: str) -> str:
    """*text*, when it is empty or a cron expression: minute hour day month weekday."""
    fields = text.lower().split()
    if not fields:
        return ""
    if len(fields) != 5:
        raise ValueError(f'{text!r} is no cron expression: five fields are needed, such as "0 1 * * *" for 01:00')
    for field, bounds, names in zip(fields, _CRON, _CRON_NAMES, strict=True):
        for part in field.split(","):
            _check_cron_part(part, bounds, names, text)
    return " ".join(fields)


def _check_cron_part(part: str, bounds: tuple[int, int], names: dict[str, int], text: str) -> None:
    span, slash, step = part.partition("/")
    if slash and not (step.isascii() and step.isdigit() and int(step[:4]) > 0):
        raise ValueError(f"{text!r} is no cron expression: {part!r} has no step after /")
    if span == "*":
        return
    numbers = [names.get(end, int(end) if end.isascii() and end.isdigit() else -1) for end in span.split("-")]
    low, high = bounds
    if len(numbers) > 2 or numbers != sorted(numbers) or not all(low <= number <= high for number in numbers):
        raise ValueError(f"{text!r} is no cron expression: {part!r} is not between {low} and {high}")


def check_hours(text: str) -> str:
    """*text*, when it is a span of the day such as 22:00-05:00."""
    if not _HOURS.fullmatch(text):
        raise ValueError(f"{text!r} is no span of the day, such as 22:00-05:00")
    return text


def check_url(text: str) -> str:
    """*text*, when it holds neither a password nor blanks or control characters."""
    if _USERINFO.search(text):
        raise ValueError("an address must not carry a user or password; write them under credentials: as env:NAME")
    if not text.isprintable():
        raise ValueError("an address must not contain control characters")
    if "://" in text and " " in text:
        raise ValueError(f"{text!r} contains a blank; write it as %20")
    return text


def check_database(text: str) -> str:
    """*text*, when it is the address of a SQLite or PostgreSQL database, or a reference to one."""
    if is_reference(text):
        return text
    try:
        backend = make_url(text).get_backend_name()
    except (ArgumentError, ValueError):
        backend = ""
    if backend not in ("sqlite", "postgresql"):
        # The text may carry a password: it is not repeated.
        raise ValueError("not an address of a database, such as sqlite:///induk.db or postgresql+psycopg://host/name")
    return Revealed(text)


def check_withheld(names: tuple[str, ...]) -> tuple[str, ...]:
    """*names*, when each is a normalized field (`notes`) or a part of one (`holdings.copies`): a slip must not leak."""
    for name in names:
        field, _, part = name.partition(".")
        fields = list(NormalizedRecord.__struct_fields__)
        if field not in fields:
            raise ValueError(f"{name!r} is no normalized field ({suggestion(field, fields)})")
        parts = _parts_of(field)
        if part and part not in parts:
            hint = suggestion(part, parts) if parts else "withhold the whole field"
            raise ValueError(f"{field} has no part {part!r} ({hint})")
    return names


def _parts_of(field: str) -> list[str]:
    """The parts of a normalized field whose values are structures."""
    kinds = [get_type_hints(NormalizedRecord)[field]]
    while kinds:
        kind = kinds.pop()
        if hasattr(kind, "__struct_fields__"):
            return list(kind.__struct_fields__)
        kinds += get_args(kind)
    return []


def _secret(value: Any) -> Secret:
    if isinstance(value, Secret):
        return value
    return Secret(value if isinstance(value, str) else "")


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _both_names(value: Any) -> Any:
    return {"id": value, "en": value} if isinstance(value, str) else value


def _known(kind: str) -> Any:
    """A check against the names that the caller of load() gave for *kind*; without them every name passes."""

    def check(text: str, info: ValidationInfo) -> str:
        known = (info.context or {}).get(kind)
        if text and known is not None and text not in known:
            raise ValueError(f"unknown {kind} {text!r} ({suggestion(text, sorted(known))})")
        return text

    return AfterValidator(check)


Code = Annotated[str, AfterValidator(check_code)]
Zone = Annotated[str, AfterValidator(check_timezone)]
Cron = Annotated[str, AfterValidator(check_cron)]
Hours = Annotated[str, AfterValidator(check_hours)]
Url = Annotated[str, AfterValidator(check_url)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]
HiddenText = Annotated[
    Secret,
    BeforeValidator(_secret),
    PlainSerializer(lambda secret: secret.reference, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^(env|file|credential):.+"}),
]
Percent = Annotated[float, Field(ge=0, le=100)]
Credentials = dict[str, HiddenText]


def setting(default: Any, text: str, **bounds: Any) -> Any:
    """A field of a group: its default, its line of documentation, its bounds."""
    return Field(default=default, description=text, **bounds)


class Group(BaseModel):
    """Base of every group of settings: unknown keys are mistakes, values are frozen."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, arbitrary_types_allowed=True, populate_by_name=True
    )


# ---- induk.yaml ----------------------------------------------------------------------------------------


class Names(Group):
    """A name in both languages."""

    id: str = setting("", "the name in Indonesian")
    en: str = setting("", "the name in English")


class Limits(Group):
    """Bounds on what a partner may send; passing one refuses the answer, never the run."""

    connect_seconds: float = setting(10, "longest wait for a connection", gt=0)
    read_seconds: float = setting(60, "longest silence within an answer", gt=0)
    total_seconds: float = setting(600, "longest time for one answer", gt=0)
    response_mib: int = setting(64, "largest answer of a server, unpacked, in MiB", ge=1)
    file_mib: int = setting(4096, "largest file or archive, unpacked, in MiB", ge=1)
    record_kib: int = setting(4096, "largest single record, in KiB", ge=1)
    ratio: int = setting(200, "largest ratio of unpacked to packed bytes", ge=2)
    archive_members: int = setting(10_000, "most files in one archive", ge=1)
    rows: int = setting(2_000_000, "most rows of one sheet", ge=1)
    redirects: int = setting(5, "most redirects of one request", ge=0, le=20)


class Politeness(Group):
    """How partners' servers are treated."""

    delay_seconds: float = setting(1.0, "pause between two requests to one host", ge=0)
    attempts: int = setting(5, "tries of one request before the source counts as unavailable", ge=1, le=20)
    retry_after_seconds: int = setting(3600, "longest Retry-After that is waited for within a run", ge=0)
    requests_a_night: int = setting(0, "most requests to one source in a night; 0 is without end", ge=0)


class Harvest(Group):
    """How a night is worked through."""

    partners_at_once: int = setting(4, "partners harvested at the same time", ge=1, le=64)
    workers: int = setting(0, "processes that parse, normalize, compare and merge; 0 is one per processor core", ge=0)
    run_hours: float = setting(8, "a harvest that takes longer is stopped and resumes the next night", gt=0)
    overlap_minutes: int = setting(15, "how far a window reaches back, second granularity", ge=0)
    overlap_days: int = setting(1, "how far a window reaches back, day granularity", ge=0)
    audit_days: int = setting(7, "days between two comparisons of all identifiers; 0 is never", ge=0)
    stable_seconds: float = setting(60, "a dropped file is read after being unchanged this long", ge=0)


class Guards(Group):
    """When a harvest halts and waits for a person (exit code 3)."""

    delete_percent: Percent = setting(2, "deletions applied without asking, in percent of the source")
    delete_records: int = setting(20, "deletions always allowed, up to delete_cap_percent", ge=0)
    delete_cap_percent: Percent = setting(10, "bound on delete_records for small sources")
    month_percent: Percent = setting(10, "deletions allowed in 30 days, in percent of the source")
    shrink_percent: Percent = setting(20, "a full list shorter by more than this halts")


class Match(Group):
    """Matching and merging."""

    rules: str = setting("match", "rule set of mappings/rules that compares records")
    survivorship: str = setting("survivorship", "rule set of mappings/rules that merges records")
    batch: int = setting(1000, "dirty records matched in one batch", ge=1, le=100_000)


class Gates(Group):
    """What holds changes back from the feed until a person releases them."""

    release: Literal["automatic", "manual"] = setting("automatic", "release changes by themselves, or never")
    changes_percent: Percent = setting(20, "more changed clusters than this in a run hold the feed")
    deletes_percent: Percent = setting(5, "more deleted clusters than this in a run hold the feed")
    fewer_percent: Percent = setting(15, "a full list shorter by more than this holds its source back from matching")
    failures_percent: Percent = setting(20, "so many more failing records hold their source back; 100 is never")
    matches_percent: Percent = setting(15, "so many points more or fewer records with a match hold their source back")


class Web(Group):
    """Pages, API and OAI-PMH provider."""

    host: str = setting("127.0.0.1", "address to listen on")
    port: int = setting(8585, "port to listen on; 0 takes a free one", ge=0, le=65535)
    base_url: Url = setting("", "address that readers see, in front of a proxy")
    session_secret: HiddenText | None = setting(None, "key that signs sessions; without it made at start")
    proxy_header: str = setting("", "header of a trusted reverse proxy that names the user; empty is off")
    repository_id: str = setting("induk", "names the union in OAI identifiers; chosen once, for ever")
    api_limit: int = setting(1000, "most records in one answer of the API", ge=1, le=10_000)


class Mail(Group):
    """The digest of a night."""

    server: str = setting("", "SMTP server; empty sends no mail")
    port: int = setting(587, "port of the SMTP server", ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = setting("starttls", "how the connection is encrypted")
    user: str = setting("", "user of the SMTP server")
    password: HiddenText | None = setting(None, "password of the SMTP server")
    sender: str = setting("", "address that mails come from")
    recipients: Texts = setting((), "addresses that get the digest; ` id` or ` en` behind one chooses its language")
    partners: bool = setting(False, "partners get a digest of their own at their `contact`, when something is theirs")
    severity: Literal["info", "warning", "error"] = setting("warning", "the least that sends a mail")
    webhook: Url = setting("", "address that gets the digest as JSON by POST")
    ping: Url = setting("", "address that is asked after each night that ended: a dead man's switch notices silence")


class Log(Group):
    """Log lines."""

    level: Literal["debug", "info", "warning", "error"] = setting("info", "the least that is logged")
    format: Literal["auto", "plain", "json"] = setting("auto", "auto is plain on a terminal, JSON elsewhere")


class Retention(Group):
    """What `induk db prune` may drop."""

    versions: int = setting(20, "versions kept of each record", ge=1)
    runs_days: int = setting(400, "days that run histories are kept", ge=1)
    changes_days: int = setting(400, "days that the feed reaches back", ge=1)


class Output(Group):
    """One output that `induk publish NAME` drives."""

    kind: Annotated[str, _known("output")] = Field(description="name of the output, such as solr or jsonl")
    url: Url = setting("", "where it writes: an address or a folder")
    options: dict[str, Any] = setting({}, "what only this kind of output knows")
    credentials: Credentials = setting({}, "secrets, as env:NAME, file:PATH or credential:NAME")


class SettingsFile(Group):
    """The whole of induk.yaml."""

    name: Annotated[Names, BeforeValidator(_both_names)] = setting(Names(), "name of the consortium")
    database: Annotated[str, AfterValidator(check_database)] = setting(
        "sqlite:///induk.db", "SQLAlchemy URL of the database, or a reference such as env:NAME"
    )
    data_dir: str = setting("data", "folder for locks, watched files and dumps, beside induk.yaml")
    contact: str = setting("", "mail address that partners see in the User-Agent")
    language: Literal["en", "id"] = setting(
        "en", "language of mails, and of the command line where the locale names none: en or id"
    )
    timezone: Zone = setting("Asia/Jakarta", "time zone of the consortium, and of partners without one")
    schedule: Cron = setting("0 1 * * *", "when partners without a schedule are harvested")
    limits: Limits = setting(Limits(), "bounds on what a partner may send")
    politeness: Politeness = setting(Politeness(), "how partners' servers are treated")
    harvest: Harvest = setting(Harvest(), "how a night is worked through")
    guards: Guards = setting(Guards(), "when a harvest halts and waits for a person")
    match: Match = setting(Match(), "matching and merging")
    gates: Gates = setting(Gates(), "what holds changes back from the feed")
    web: Web = setting(Web(), "pages, API and OAI-PMH provider")
    mail: Mail = setting(Mail(), "the digest of a night")
    log: Log = setting(Log(), "log lines")
    retention: Retention = setting(Retention(), "what `induk db prune` may drop")
    outputs: dict[Code, Output] = setting({}, "the outputs, by name")


# ---- partners.d/*.yaml ---------------------------------------------------------------------------------


class SourceEntry(Group):
    """One endpoint of a partner."""

    code: Code = setting("", "names the stream; without it the partner's code", validate_default=False)
    protocol: Annotated[str, _known("protocol")] = Field(description="oai-pmh, sru, z3950 or files")
    url: Url = setting("", "address of the endpoint; of `files` a folder, a file or an http(s) dump")
    preset: Annotated[str, _known("preset")] = setting("generic", "the partner's software")
    mapping: str = setting("", "mapping, when it is not the preset's")
    metadata_prefix: str = setting("", "OAI-PMH format or SRU schema; empty takes the best one offered")
    sets: Texts = setting((), "OAI-PMH sets to harvest; empty is everything")
    schedule: Cron = setting("", "cron expression in the partner's time zone")
    internal: bool = setting(False, "the address may lie in a private network")
    identifier_rule: str = setting(
        "", "where a record's identifier stands: 001, a column, header-number or header-tail"
    )
    options: dict[str, Any] = setting({}, "what only this protocol knows")
    credentials: Credentials = setting({}, "secrets, as env:NAME, file:PATH or credential:NAME")


class PolicyEntry(Group):
    """What a partner allows."""

    visibility: Literal["public", "members", "withheld"] = setting(
        "public", "who sees its records: everybody; people with an account here; nobody"
    )
    withheld: Annotated[Texts, AfterValidator(check_withheld)] = setting((), "normalized fields that never leave")
    priority: int = setting(0, "weight of its values in the merge", ge=-100, le=100)
    impression: Literal["", "merge", "review", "distinct"] = setting("", "what differing printings are")
    value_filters: bool = setting(True, "hide student numbers, mail addresses and phones in values")
    quality_floor: float = setting(0.0, "records below this quality are not published", ge=0, le=1)


class GuardsOfPartner(Group):
    """The partner's own guards; what is not given is as in induk.yaml."""

    delete_percent: Percent | None = setting(None, "see guards.delete_percent")
    delete_records: int | None = setting(None, "see guards.delete_records", ge=0)
    delete_cap_percent: Percent | None = setting(None, "see guards.delete_cap_percent")
    month_percent: Percent | None = setting(None, "see guards.month_percent")
    shrink_percent: Percent | None = setting(None, "see guards.shrink_percent")


class PolitenessOfPartner(Group):
    """The partner's own politeness; what is not given is as in induk.yaml."""

    delay_seconds: float | None = setting(None, "see politeness.delay_seconds", ge=0)
    attempts: int | None = setting(None, "see politeness.attempts", ge=1, le=20)
    retry_after_seconds: int | None = setting(None, "see politeness.retry_after_seconds", ge=0)
    requests_a_night: int | None = setting(None, "see politeness.requests_a_night", ge=0)


class PartnerFile(Group):
    """The whole of partners.d/<code>.yaml."""

    code: Code = Field(description="names the partner, and its stream in every record address")
    name: Annotated[Names, BeforeValidator(_both_names)] = setting(Names(), "name, or {id: …, en: …}")
    source: SourceEntry | None = setting(None, "the one source of the partner")
    sources: tuple[SourceEntry, ...] = setting((), "several sources, each with a code of its own")
    schedule: Cron = setting("", "cron expression in the partner's time zone")
    timezone: Zone = setting("", "time zone; without it the consortium's", validate_default=False)
    isil: str = setting("", "ISIL of the library")
    npp: str = setting("", "Nomor Pokok Perpustakaan")
    type: str = setting("", "kind of library, such as university, school or village")
    region: str = setting("", "province or city")
    group: str = setting("", "group within the consortium")
    contact: str = setting("", "mail address of the partner")
    opac_url: Url = setting("", "address of a record in its OPAC, with {id}")
    lending: Literal["", "lent", "on site", "no"] = setting("", "whether it lends to other libraries")
    licence: str = setting("", "licence of its records")
    tolerate_nights: int = setting(0, "nights without an answer before a run counts as failed", ge=0, le=365)
    windows: Annotated[tuple[Hours, ...], BeforeValidator(_listed)] = setting(
        (), "spans of the day in which it may be harvested, such as 22:00-05:00"
    )
    policy: PolicyEntry = setting(PolicyEntry(), "what the partner allows")
    guards: GuardsOfPartner = setting(GuardsOfPartner(), "guards other than the consortium's")
    politeness: PolitenessOfPartner = setting(PolitenessOfPartner(), "politeness other than usual")
    credentials: Credentials = setting({}, "secrets of all its sources, as env:NAME and so on")
