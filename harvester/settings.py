"""induk.yaml and partners.d/*.yaml → Settings with partners; every mistake at once, before anything is started.

A run keeps the Settings that it was started with: they are frozen, and an edited file is seen by the next run.
The settings themselves stand in settings_schema.py, the files are written by settings_files.py.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from harvester import yaml_file
from harvester.errors import ConfigError
from harvester.model import Partner, Policy, Source
from harvester.registry import suggestion
from harvester.secret import Revealed, Secret, is_reference
from harvester.settings_schema import CODE, Guards, PartnerFile, Politeness, SettingsFile, SourceEntry
from harvester.yaml_file import YamlFile

CONFIG_NAME = "induk.yaml"
PARTNERS_FOLDER = "partners.d"
MAX_PARTNERS = 10_000

M = TypeVar("M", bound=BaseModel)
Names = Collection[str]
Known = Mapping[str, Names | None]  # kind of name → the names that exist; None accepts every one


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
        url = _database(text, place="INDUK_DATABASE" if environ.get("INDUK_DATABASE") else str(self.path))
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
        partners = [_plain_partner(partner) for partner in self.partners]
        text = json.dumps([self.model_dump(mode="json"), partners], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class SettingLine(NamedTuple):
    """One line of the table of settings: `limits.record_kib`, `int`, the default as JSON, the sentence about it."""

    name: str
    type: str
    default: str
    text: str


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

    *presets*, *protocols* and *outputs* are the names that exist; None accepts every name. Nothing but these files
    is read, no secret, no network.

    Raises:
        ConfigError: `problems` holds every mistake of every file as `file:line: sentence (suggestion)`.
    """
    path = path or Path(environ.get("INDUK_CONFIG") or CONFIG_NAME)
    if not path.is_file():
        raise ConfigError("there is no such file", place=str(path), hint="`induk init` writes one")
    problems: list[str] = []
    known = {"preset": presets, "protocol": protocols, "output": outputs}
    file = _read(path, path.name, problems)
    checked = _validate(SettingsFile, file, known, problems) if file else None
    if file and checked:
        _check_database(checked.database, file, problems)
    partners = _partners(path.parent, checked or SettingsFile(), known, problems)
    if problems or checked is None:
        raise _all(problems)
    return Settings.model_construct(
        **{name: getattr(checked, name) for name in SettingsFile.model_fields}, path=path.absolute(), partners=partners
    )


def _partners(folder: Path, settings: SettingsFile, known: Known, problems: list[str]) -> tuple[Partner, ...]:
    """The partners of partners.d, sorted by file name; mistakes go to *problems*."""
    taken: dict[str, str] = {}
    partners = []
    paths = sorted(path for path in (folder / PARTNERS_FOLDER).glob("*.y*ml") if not path.name.startswith("."))
    if len(paths) > MAX_PARTNERS:
        problems.append(f"{PARTNERS_FOLDER}: more than {MAX_PARTNERS} files")
    for path in paths[:MAX_PARTNERS]:
        file = _read(path, f"{PARTNERS_FOLDER}/{path.name}", problems)
        entry = _validate(PartnerFile, file, known, problems) if file else None
        if file and entry:
            problems += _check_partner(entry, path, file)
            partner = to_partner(entry, settings, folder)
            problems += _check_codes(partner, file, taken)
            partners.append(partner)
    return tuple(partners)


def _check_partner(entry: PartnerFile, path: Path, file: YamlFile) -> Iterator[str]:
    if path.stem != entry.code:
        yield f"{file.place('code')}: the file of partner {entry.code!r} must be called {entry.code}.yaml"
    if (entry.source is None) == (not entry.sources):
        yield f"{file.place('sources')}: a partner needs either source: or sources:, and not both"
    for index, source in enumerate(entry.sources):
        if len(entry.sources) > 1 and not source.code:
            yield f"{file.place('sources', index)}: each of several sources needs a code of its own"


def _check_codes(partner: Partner, file: YamlFile, taken: dict[str, str]) -> Iterator[str]:
    """Codes name streams in every address: two partners, or two sources, never share one."""
    place = file.place("code")
    names = {("partner", partner.code)} | {("source", source.code) for source in partner.sources if source.code}
    codes = [source.code for source in partner.sources if source.code]
    for code in sorted({code for code in codes if codes.count(code) > 1}):
        yield f"{place}: source code {code!r} stands twice"
    for code in sorted({code for _, code in names}):
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


def reveal(source: Source, environ: Mapping[str, str]) -> Source:
    """*source* with its credentials read, as late as possible: just before its harvester is opened.

    Raises:
        ConfigError: a credential is not there.
    """
    credentials = tuple((name, Secret(reference).reveal(environ)) for name, reference in source.credentials)
    return msgspec.structs.replace(source, credentials=credentials)


def check_code(code: str) -> str:
    """*code*, when it can name a partner or source.

    Raises:
        ConfigError: it cannot; codes become parts of addresses and of file names.
    """
    if not CODE.fullmatch(code):
        raise ConfigError(f"{code!r} is no code: small letters a-z, digits and - only, at most 63")
    return code


# ---- the table of settings -----------------------------------------------------------------------------


def schema() -> dict[str, Any]:
    """JSON Schemas of both files, by file name, for editors that complete YAML."""
    return {CONFIG_NAME: SettingsFile.model_json_schema(), f"{PARTNERS_FOLDER}/*.yaml": PartnerFile.model_json_schema()}


def lines(group: type[BaseModel] = SettingsFile, prefix: str = "") -> Iterator[SettingLine]:
    """Every setting of *group* in its order, groups flattened with dots; the groups themselves are left out."""
    for name, field in group.model_fields.items():
        inner = _group_of(field.annotation)
        if inner is not None:
            yield from lines(inner, f"{prefix}{name}.")
            continue
        default = "" if field.is_required() else json.dumps(_plain(field.get_default()), ensure_ascii=False)
        yield SettingLine(prefix + name, _type_name(field.annotation), default, field.description or "")


def shown(settings: Settings) -> dict[str, Any]:
    """The settings in force as plain values for `induk config show`; secrets stand as their references."""
    values = settings.model_dump(mode="json")
    if not is_reference(settings.database):
        values["database"] = make_url(settings.database).render_as_string(hide_password=True)
    values["partners"] = [_plain_partner(partner) for partner in settings.partners]
    return values


def _plain_partner(partner: Partner) -> Any:
    return msgspec.to_builtins(partner)


def _group_of(annotation: Any) -> type[BaseModel] | None:
    """The group that a field holds, also behind `| None` and in a tuple; dictionaries are values."""
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return None if getattr(annotation, "__origin__", None) is dict else candidate
    return None


def _type_name(annotation: Any) -> str:
    text = (
        annotation.__name__ if isinstance(annotation, type) and not hasattr(annotation, "__args__") else str(annotation)
    )
    if "Secret" in text:
        return "secret"
    if text.startswith("typing.Literal"):
        return " | ".join(str(value) or '""' for value in annotation.__args__)
    for start, name in (("tuple", "list"), ("dict", "mapping"), ("str", "text"), ("bool", "true or false")):
        if text.startswith(start):
            return name
    return "number" if "float" in text else "whole number" if "int" in text else text


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


# ---- mistakes ------------------------------------------------------------------------------------------


def _read(path: Path, name: str, problems: list[str]) -> YamlFile | None:
    """The file, or None and its problem."""
    try:
        file = yaml_file.read(path, name=name)
    except ConfigError as error:
        problems.extend(error.problems)
        return None
    if file.value is None:
        return YamlFile(name, {}, {})
    if not isinstance(file.value, dict):
        problems.append(f"{file.place()}: must be keys and values, such as `code: ugm`")
        return None
    return file


def _validate(model: type[M], file: YamlFile, known: Known, problems: list[str]) -> M | None:
    """*file* as *model*, or None and every mistake with its line. A key without a value counts as absent."""
    try:
        return model.model_validate(_present(file.value), context=dict(known))
    except ValidationError as error:
        for mistake in error.errors(include_url=False):
            location = tuple(mistake["loc"])
            problems.append(f"{file.place(*location)}: {_sentence(cast(dict[str, Any], mistake), model)}")
        return None


def _present(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _present(inner) for key, inner in value.items() if inner is not None}
    return value


def _sentence(mistake: dict[str, Any], model: type[BaseModel]) -> str:
    """What is wrong, for an operator; the value itself is shown only where it cannot be a secret."""
    location = [str(part) for part in mistake["loc"]]
    name = ".".join(location)
    context = mistake.get("ctx", {})
    kind = mistake["type"]
    if kind == "extra_forbidden":
        known = _keys_at(model, location[:-1])
        return f"unknown key {location[-1]!r} ({suggestion(location[-1], known)})" if known else f"unknown key {name!r}"
    if kind == "missing":
        return f"key {name!r} is missing"
    if kind == "value_error":
        return f"{name}: {context['error']}"
    if kind == "literal_error":
        return f"{name}: {mistake['input']!r} is not one of {context['expected']}"
    return f"{name}: {mistake['msg'][:1].lower()}{mistake['msg'][1:]}"


def _keys_at(model: type[BaseModel], location: Iterable[str]) -> list[str]:
    """The keys that may stand at *location* of a file."""
    group: type[BaseModel] | None = model
    for part in location:
        if group is None or part.isdigit():
            continue
        field = group.model_fields.get(part)
        if field is None:  # a name in a dictionary of groups, such as outputs.<name>
            continue
        group = next((g for g in _groups_in(field.annotation)), None)
    return sorted(group.model_fields) if group else []


def _groups_in(annotation: Any) -> Iterator[type[BaseModel]]:
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            yield candidate


def _check_database(text: str, file: YamlFile, problems: list[str]) -> None:
    if not is_reference(text):
        try:
            _database(text, place=file.place("database"))
        except ConfigError as error:
            problems.append(str(error))


def _database(text: str, *, place: str) -> Any:
    hint = "sqlite:///induk.db or postgresql+psycopg://host/name"
    try:
        url = make_url(text)
    except ArgumentError:
        # The text may carry a password: it is not repeated.
        raise ConfigError("the database address cannot be read", place=place, hint=hint) from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigError(f"the database {url.get_backend_name()!r} is not supported", place=place, hint=hint)
    return url


def _all(problems: list[str]) -> ConfigError:
    """One error out of all mistakes; its text is the mistakes, a line each."""
    return ConfigError("\n".join(problems), problems=tuple(problems))
