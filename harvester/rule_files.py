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
from harvester.settings import mapping_folders as beside


def load_rules(settings: Settings) -> tuple[match_rules.Rules, survivorship.Rules]:
    """The match and survivorship rules in force: files beside induk.yaml first, then the shipped ones."""
    match = match_rules.load(rules_path(settings, settings.match.rules))
    return match, survivorship.load(rules_path(settings, settings.match.survivorship))


def rules_path(settings: Settings, name: str) -> Path | None:
    """The rule file *name* beside induk.yaml; None when the shipped one is meant."""
    found = settings.folder / "mappings" / "rules" / f"{name}.yaml"
    return found if found.is_file() else None


def check_mappings(settings: Settings) -> None:
    """Raise a ConfigError with every mistake in the mappings and presets of one's own that the sources use."""
    problems: list[str] = []
    folders = mapping_folders(settings)
    own = {path.stem for folder in folders for path in folder.glob("*.yaml")}
    for source in settings.sources:
        if name := source.mapping or (source.preset if source.preset in own else ""):
            try:
                mapping.load(name, folders)
            except ConfigError as error:
                problems += [one for one in error.problems if one not in problems]
    if problems:
        raise ConfigError(f"{len(problems)} mistakes in mapping files", problems=tuple(problems))


def mapping_folders(settings: Settings) -> tuple[Path, ...]:
    """Where mappings are looked for before the shipped ones."""
    return beside(settings.folder)


def version() -> str:
    """The version of this code, as rule sets note it."""
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version("induk")
    return "source"
