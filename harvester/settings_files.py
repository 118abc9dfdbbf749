"""What is made from the table of settings: new files, the JSON Schema and docs/settings.md."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import BaseModel

from harvester import yaml_file
from harvester.errors import ConfigError
from harvester.model import Partner, Policy, Source
from harvester.settings_check import validate
from harvester.settings_schema import CONFIG_NAME, PARTNERS_FOLDER, PartnerFile, SettingsFile

_HEAD = """# Settings of Induk. A key behind "# " shows its default; take the # away to change it.
# A partner is one file in partners.d/, named after its code; four lines are enough:
#   code: ugm
#   name: {id: Perpustakaan UGM, en: UGM Library}
#   source: {protocol: oai-pmh, url: "https://lib.example.ac.id/oai2.php", preset: slims-oai2}
#   schedule: "0 1 * * *"
# Secrets are written as env:NAME, file:PATH or credential:NAME, never as themselves.
"""

_DOCUMENT_HEAD = """# Settings

Made from the table in `harvester/settings_schema.py`; `induk config show` prints the values in force, `induk config
schema` the JSON Schemas for an editor. A wrong file stops the command before any network access, with every mistake at
once as `file:line: sentence (suggestion)`.

`--config FILE` names the file, else `$INDUK_CONFIG`, else `induk.yaml` in the working folder. `$INDUK_DATABASE`
replaces the database. Relative paths start at the folder of `induk.yaml`. Secrets are written as `env:NAME`,
`file:PATH` or `credential:NAME` (systemd's LoadCredential=) and are read only when they are used.

"""


class SettingLine(NamedTuple):
    """One line of the table of settings: `limits.record_kib`, `int`, the default as JSON, the sentence about it."""

    name: str
    type: str
    default: str
    text: str


def schema() -> dict[str, Any]:
    """JSON Schemas of both files, by file name, for editors that complete YAML."""
    return {CONFIG_NAME: SettingsFile.model_json_schema(), f"{PARTNERS_FOLDER}/*.yaml": PartnerFile.model_json_schema()}


def describe(group: type[BaseModel] = SettingsFile, prefix: str = "") -> Iterator[SettingLine]:
    """Every setting of *group* in its order, groups flattened with dots; the groups themselves are left out."""
    for name, field in group.model_fields.items():
        inner = _group_of(field.annotation)
        if inner is not None:
            yield from describe(inner, f"{prefix}{name}.")
            continue
        default = "" if field.is_required() else json.dumps(_plain(field.get_default()), ensure_ascii=False)
        yield SettingLine(prefix + name, _type_name(field.annotation), default, field.description or "")


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


def document() -> str:
    """docs/settings.md: every key of induk.yaml and of a partner file with its type, default and sentence."""
    parts = [_DOCUMENT_HEAD]
    for title, model in ((CONFIG_NAME, SettingsFile), (f"{PARTNERS_FOLDER}/<code>.yaml", PartnerFile)):
        parts.append(f"## {title}\n\n| key | type | default | what it is |\n|---|---|---|---|\n")
        for line in describe(model):
            kind = line.type.replace("|", "\\|")
            default = f"`{line.default}`" if line.default else "required"
            parts.append(f"| `{line.name}` | {kind} | {default} | {line.text} |\n")
        parts.append("\n")
    return "".join(parts).rstrip() + "\n"


# ---- files written for the operator --------------------------------------------------------------------


def init(folder: Path) -> list[Path]:
    """Write a commented induk.yaml and an empty partners.d/ into *folder*; returns what was made.

    Raises:
        ConfigError: there is an induk.yaml already; it is never overwritten.
    """
    target = folder / CONFIG_NAME
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PARTNERS_FOLDER).mkdir(exist_ok=True)
    _write_new(target, template())
    return [target, folder / PARTNERS_FOLDER]


def template() -> str:
    """The text of a new induk.yaml: every setting as a comment with its default."""
    parts = [_HEAD]
    group = ""
    for line in describe():
        top, dot, name = line.name.rpartition(".")
        if top != group and dot:
            parts.append(f"\n# {top}:\n")
        elif top != group:
            parts.append("\n")
        group = top
        indent = "  " if dot else ""
        parts.append(f"# {indent}{name or top}: {line.default}  # {line.text}\n")
    return "".join(parts)


def write_partner(folder: Path, partner: Partner) -> Path:
    """Write partners.d/<code>.yaml beside the induk.yaml of *folder*, only what differs from the defaults.

    Raises:
        ConfigError: the file is there already, or a value would not be accepted when read back.
    """
    text = partner_text(partner)
    problems: list[str] = []
    validate(PartnerFile, yaml_file.parse(text, name=f"{partner.code}.yaml"), {}, problems)
    if problems:
        raise ConfigError("\n".join(problems), problems=tuple(problems))
    target = folder / PARTNERS_FOLDER / f"{partner.code}.yaml"
    target.parent.mkdir(exist_ok=True)
    _write_new(target, text)
    return target


def partner_text(partner: Partner) -> str:
    """The YAML of *partner*, a line a key."""
    entry: dict[str, Any] = {"code": partner.code, "name": {"id": partner.name_id, "en": partner.name_en}}
    sources = [_source_entry(source, partner) for source in partner.sources]
    entry |= {"source": sources[0]} if len(sources) == 1 else {"sources": sources}
    schedules = {source.schedule for source in partner.sources}
    if len(schedules) == 1 and "" not in schedules:
        entry["schedule"] = schedules.pop()
    names = ("timezone", "isil", "npp", "type", "region", "group", "contact", "opac_url", "lending", "licence")
    entry |= _differing(partner, Partner(code=""), (*names, "tolerate_nights"))
    policy = _differing(partner.policy, Policy(), Policy.__struct_fields__)
    entry |= {"policy": policy} if policy else {}
    return "".join(f"{key}: {_flow(value)}\n" for key, value in entry.items())


def _source_entry(source: Source, partner: Partner) -> dict[str, Any]:
    names = (
        "protocol",
        "url",
        "preset",
        "mapping",
        "metadata_prefix",
        "sets",
        "internal",
        "identifier_rule",
        "options",
    )
    entry = _differing(source, Source(code="", protocol=""), names)
    if len(partner.sources) > 1:
        entry = {"code": source.code, **entry}
        if source.schedule:
            entry["schedule"] = source.schedule
    if source.credentials:
        entry["credentials"] = dict(source.credentials)
    return entry


def _differing(value: Any, default: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The fields of *value* that differ from *default*, in the order of *names*, tuples as lists."""
    different = {name: getattr(value, name) for name in names if getattr(value, name) != getattr(default, name)}
    return {name: _plain(found) for name, found in different.items()}


def _flow(value: Any) -> str:
    """*value* as one line of YAML."""
    if isinstance(value, str) and not value.replace(" ", "").isalnum():
        return json.dumps(value, ensure_ascii=False)
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6, sort_keys=False)
    return text.removesuffix("...\n").strip()


def _write_new(target: Path, text: str) -> None:
    """Create *target* with *text*, all of it or nothing; an existing file is left alone."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        # A hard link fails when the target exists, where a rename would replace it.
        os.link(draft, target)
    except FileExistsError as error:
        raise ConfigError("is there already and is not overwritten", place=str(target)) from error
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", place=str(target)) from error
    finally:
        draft.unlink(missing_ok=True)
