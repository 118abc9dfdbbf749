"""The rules in force: those beside induk.yaml first, then the shipped ones; and the version of the code."""

from __future__ import annotations

import importlib.metadata
from contextlib import suppress
from pathlib import Path

from harvester.errors import ConfigError
from harvester.match import rules as match_rules
from harvester.merge import survivorship
from harvester.normalize import mapping
from harvester.settings import Settings


def load_rules(settings: Settings) -> tuple[match_rules.Rules, survivorship.Rules]:
    """The match and survivorship rules in force: files beside induk.yaml first, then the shipped ones."""
    match = match_rules.load(rules_path(settings, settings.match.rules))
    return match, survivorship.load(rules_path(settings, settings.match.survivorship))


def rules_path(settings: Settings, name: str) -> Path | None:
    """The rule file *name* beside induk.yaml; None when the shipped one is meant."""
    found = settings.folder / "mappings" / "rules" / f"{name}.yaml"
    return found if found.is_file() else None


def check_mappings(settings: Settings) -> None:
    """Raise a ConfigError with every mistake in the mappings that the sources use."""
    problems: list[str] = []
    for source in settings.sources:
        if source.mapping:
            try:
                mapping.load(source.mapping, mapping_folders(settings))
            except ConfigError as error:
                problems += [one for one in error.problems if one not in problems]
    if problems:
        raise ConfigError(f"{len(problems)} mistakes in mapping files", problems=tuple(problems))


def mapping_folders(settings: Settings) -> tuple[Path, ...]:
    """Where mappings are looked for before the shipped ones."""
    return tuple(path for path in (settings.folder / "mappings",) if path.is_dir())


def version() -> str:
    """The version of this code, as rule sets note it."""
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version("induk")
    return "source"
