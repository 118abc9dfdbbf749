"""induk.yaml and partners.d/*.yaml → Settings with partners; every mistake at once, before anything is started.

A run keeps the Settings that it was started with: they are frozen, and an edited file is seen by the next run.
The settings themselves stand in settings_schema.py, the files are written by settings_files.py.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ConfigDict, Field
from sqlalchemy.engine import make_url

from harvester.errors import ConfigError
from harvester.model import Partner, Policy, Source
from harvester.redact import host_only
from harvester.registry import suggestion
from harvester.secret import Revealed, Secret, is_reference
from harvester.settings_check import Known, Names, read, validate
from harvester.settings_files import SettingLine, describe, document, init, schema, write_partner
from harvester.settings_schema import (
    CONFIG_NAME,
    PARTNERS_FOLDER,
    Guards,
    PartnerFile,
    Politeness,
    SettingsFile,
    SourceEntry,
    check_code,
    check_database,
)
from harvester.yaml_file import YamlFile

__all__ = [
    "SettingLine",
    "Settings",
    "check_code",
    "describe",
    "document",
    "init",
    "load",
    "reveal",
    "schema",
    "write_partner",
]

MAX_PARTNERS = 10_000


class Settings(SettingsFile):
    """All settings with their defaults filled in, the partners, and the file that they came from."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    path: Path = Field(default=Path(CONFIG_NAME), exclude=True)
    partners: tuple[Partner, ...] = Field(default=(), exclude=True)

    @property
    def folder(self) -> Path:
        """The folder of induk.yaml; relative paths in it start here."""
        return self.path.parent

    @property
    def data_folder(self) -> Path:
        """Where locks, watched files and dumps lie (absolute); nothing is created."""
        return (self.folder / self.data_dir).absolute()

    @property
    def sources(self) -> tuple[Source, ...]:
        """Every source of every partner, in the order of the files."""
        return tuple(source for partner in self.partners for source in partner.sources)

    def partner(self, code: str) -> Partner:
        """The partner called *code*.

        Raises:
            ConfigError: unknown; the nearest known one is suggested.
        """
        for partner in self.partners:
            if partner.code == code:
                return partner
        raise ConfigError(f"unknown partner {code!r}", hint=suggestion(code, [p.code for p in self.partners]))

    def partner_of(self, source_code: str) -> Partner:
        """The partner that the source *source_code* belongs to."""
        for partner in self.partners:
            if any(source.code == source_code for source in partner.sources):
                return partner
        raise ConfigError(
            f"unknown source {source_code!r}", hint=suggestion(source_code, [s.code for s in self.sources])
        )

    def database_url(self, environ: Mapping[str, str]) -> str:
        """The SQLAlchemy URL of the database; a relative SQLite file lies beside induk.yaml."""
        text = environ.get("INDUK_DATABASE") or self.database
        if is_reference(text):
            text = Secret(text).reveal(environ)
        try:
            url = make_url(check_database(text))
        except ValueError as error:
            raise ConfigError(
                str(error), place="INDUK_DATABASE" if "INDUK_DATABASE" in environ else str(self.path)
            ) from None
        if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
            url = url.set(database=str((self.folder / url.database).absolute()))
        return Revealed(url.render_as_string(hide_password=False))

    def guards_of(self, source: Source) -> Guards:
        """The guards of *source*: the partner's own over the consortium's."""
        return self.guards.model_copy(update=dict(source.options.get("guards", {})))

    def politeness_of(self, source: Source) -> Politeness:
        """The politeness towards *source*: the partner's own over the usual."""
        return self.politeness.model_copy(update=dict(source.options.get("politeness", {})))

    def fingerprint(self) -> str:
        """A hash of everything that was configured; equal settings are equal, secrets are not read."""
        text = json.dumps(self.shown(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def shown(self) -> dict[str, Any]:
        """The settings in force as plain values, for `induk config show`; secrets stand as their references."""
        values = self.model_dump(mode="json")
        if not is_reference(self.database):
            values["database"] = make_url(self.database).render_as_string(hide_password=True)
        for name in ("webhook", "ping"):
            values["mail"][name] = host_only(values["mail"][name])
        values["partners"] = [msgspec.to_builtins(partner) for partner in self.partners]
        return values


# ---- reading -------------------------------------------------------------------------------------------


def load(
    path: Path | None = None,
    *,
    environ: Mapping[str, str],
    presets: Names | None = None,
    protocols: Names | None = None,
    outputs: Names | None = None,
) -> Settings:
    """The checked settings of *path*, of $INDUK_CONFIG or of induk.yaml in the working folder, in this order.

    *presets*, *protocols* and *outputs* are the names that exist; None accepts every name, and a mapping or preset
    beside the file is known by its own. Nothing but these files
    is read, no secret, no network.

    Raises:
        ConfigError: `problems` holds every mistake of every file as `file:line: sentence (suggestion)`.
    """
    path = path or Path(environ.get("INDUK_CONFIG") or CONFIG_NAME)
    if not path.is_file():
        raise ConfigError(
            "there is no such file",
            place=str(path),
            hint="`induk init` writes one; --config or INDUK_CONFIG names one elsewhere",
        )
    problems: list[str] = []
    own = [one.stem for place in mapping_folders(path.parent) for one in place.glob("*.yaml")]
    known = {"preset": presets and (*presets, *own), "protocol": protocols, "output": outputs}
    file = read(path, path.name, problems)
    checked = validate(SettingsFile, file, known, problems) if file else None
    partners = _partners(path.parent, checked or SettingsFile(), known, problems)
    if problems or checked is None:
        raise ConfigError("\n".join(problems), problems=tuple(problems))
    return Settings.model_construct(
        **{name: getattr(checked, name) for name in SettingsFile.model_fields}, path=path.absolute(), partners=partners
    )


def mapping_folders(folder: Path) -> tuple[Path, ...]:
    """Where mappings and presets of one's own lie, beside induk.yaml."""
    return tuple(path for path in (folder / "mappings", folder / "mappings" / "presets") if path.is_dir())


def _partners(folder: Path, settings: SettingsFile, known: Known, problems: list[str]) -> tuple[Partner, ...]:
    """The partners of partners.d, sorted by file name; mistakes go to *problems*."""
    taken: dict[str, str] = {}
    partners = []
    paths = sorted(path for path in (folder / PARTNERS_FOLDER).glob("*.y*ml") if not path.name.startswith("."))
    if len(paths) > MAX_PARTNERS:
        problems.append(f"{PARTNERS_FOLDER}: more than {MAX_PARTNERS} files")
    for path in paths[:MAX_PARTNERS]:
        file = read(path, f"{PARTNERS_FOLDER}/{path.name}", problems)
        if file:
            entry = validate(PartnerFile, file, known, problems)
            problems += [*_check_shape(file, path.stem), *_check_codes(file, taken)]
            partners += [to_partner(entry, settings, folder)] if entry else []
    return tuple(partners)


def _check_shape(file: YamlFile, stem: str) -> Iterator[str]:
    code, several = file.value.get("code"), file.value.get("sources") or []
    if isinstance(code, str) and stem != code:
        yield f"{file.place('code')}: the file of partner {code!r} must be called {code}.yaml"
    if bool(file.value.get("source")) == bool(several):
        yield f"{file.place('sources')}: a partner needs either source: or sources:, and not both"
    for index, source in enumerate(several if isinstance(several, list) else []):
        if len(several) > 1 and isinstance(source, dict) and not source.get("code"):
            yield f"{file.place('sources', index)}: each of several sources needs a code of its own"


def _check_codes(file: YamlFile, taken: dict[str, str]) -> Iterator[str]:
    """Codes name streams in every address: only one source may share a code, with its own partner."""
    own = file.value.get("code")
    claims = [(own, file.place("code"))] if isinstance(own, str) else []
    codes = [(file.value.get("source"), file.place("source", "code"))]
    several = file.value.get("sources")
    for index, source in enumerate(several if isinstance(several, list) else []):
        codes.append((source, file.place("sources", index, "code")))
    shared = False
    for source, place in codes:
        code = source.get("code") if isinstance(source, dict) else None
        if code == own and not shared:
            shared = True
        elif isinstance(code, str) and code:
            claims.append((code, place))
    for code, place in claims:
        if code in taken:
            yield f"{place}: code {code!r} is taken already by {taken[code]}"
        taken.setdefault(code, place)


def to_partner(entry: PartnerFile, settings: SettingsFile, folder: Path) -> Partner:
    """The noun that the pipeline works with; *folder* is where relative file addresses start."""
    sources = (entry.source,) if entry.source else entry.sources
    timezone = entry.timezone or settings.timezone
    names = ("code", "isil", "npp", "type", "region", "group", "contact", "opac_url", "lending", "licence")
    return Partner(
        **{name: getattr(entry, name) for name in names},
        name_id=entry.name.id or entry.name.en or entry.code,
        name_en=entry.name.en or entry.name.id or entry.code,
        timezone=timezone,
        tolerate_nights=entry.tolerate_nights,
        policy=Policy(**entry.policy.model_dump()),
        sources=tuple(_source(source, entry, settings, folder) for source in sources),
    )


def _source(source: SourceEntry, entry: PartnerFile, settings: SettingsFile, folder: Path) -> Source:
    """A source with what it inherits: code, schedule and credentials of its partner.

    Guards, politeness and windows of the partner travel in `options`; guards_of() and politeness_of() read them.
    """
    options = dict(source.options)
    for name in ("guards", "politeness"):
        own = getattr(entry, name).model_dump(exclude_none=True)
        if own:
            options[name] = own
    if entry.windows:
        options["windows"] = list(entry.windows)
    url = source.url
    if source.protocol == "files" and url and "://" not in url:
        url = str((folder / url).absolute())
    credentials = {**entry.credentials, **source.credentials}
    same = ("protocol", "preset", "mapping", "metadata_prefix", "sets", "internal", "identifier_rule")
    return Source(
        **{name: getattr(source, name) for name in same},
        code=source.code or (entry.code if len(entry.sources) < 2 else ""),
        url=url,
        schedule=source.schedule or entry.schedule or settings.schedule,
        credentials=tuple((name, secret.reference) for name, secret in sorted(credentials.items())),
        options=options,
    )


def file_times(settings: Settings) -> tuple[tuple[str, int], ...]:
    """The files that *settings* came from and the rules beside them, and when each was changed, in nanoseconds.

    Servers ask at every request: 200 partners take 0.7 ms.
    """
    folder = settings.folder
    found: list[tuple[str, int]] = []
    with suppress(FileNotFoundError):
        found.append((settings.path.name, settings.path.stat().st_mtime_ns))
    for place in (folder / PARTNERS_FOLDER, folder / "mappings" / "rules"):
        with suppress(FileNotFoundError), os.scandir(place) as entries:
            found += sorted(
                (one.name, one.stat().st_mtime_ns) for one in entries if one.name.endswith((".yaml", ".yml"))
            )
    return tuple(found)


def reveal(source: Source, environ: Mapping[str, str]) -> Source:
    """*source* with its credentials read, as late as possible: just before its harvester is opened.

    Raises:
        ConfigError: a credential is not there.
    """
    credentials = tuple((name, Secret(reference).reveal(environ)) for name, reference in source.credentials)
    return msgspec.structs.replace(source, credentials=credentials)
