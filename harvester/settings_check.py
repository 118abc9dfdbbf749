"""One settings file against its model: every mistake as `file:line: sentence (suggestion)`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from harvester import yaml_file
from harvester.errors import ConfigError
from harvester.i18n import N_
from harvester.registry import suggestion
from harvester.yaml_file import YamlFile

M = TypeVar("M", bound=BaseModel)
Names = Collection[str]
Known = Mapping[str, Names | None]  # kind of name → the names that exist; None accepts every one


# what pydantic says, as far as it stands in a sentence of ours
PYDANTIC = (
    N_("input should be a valid integer"),
    N_("input should be a valid integer, unable to parse string as an integer"),
    N_("input should be a valid number"),
    N_("input should be a valid number, unable to parse string as a number"),
    N_("input should be a valid boolean"),
    N_("input should be a valid boolean, unable to interpret input"),
    N_("input should be a valid string"),
    N_("input should be a valid list"),
    N_("input should be a valid tuple"),
    N_("input should be a valid dictionary"),
    N_("input should be a valid dictionary or instance of {1}"),
    N_("input should be greater than {1}"),
    N_("input should be greater than or equal to {1}"),
    N_("input should be less than {1}"),
    N_("input should be less than or equal to {1}"),
)


def read(path: Path, name: str, problems: list[str]) -> YamlFile | None:
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


def validate(model: type[M], file: YamlFile, known: Known, problems: list[str]) -> M | None:
    """*file* as *model*, or None and every mistake with its line. A key without a value counts as absent."""
    try:
        return model.model_validate(_present(file.value), context=dict(known))
    except ValidationError as error:
        found = [
            (file.place(*mistake["loc"]), _sentence(cast(dict[str, Any], mistake), model))
            for mistake in error.errors(include_url=False)
        ]
        problems.extend(f"{place}: {sentence}" for place, sentence in sorted(found, key=_line))
        return None


def _line(mistake: tuple[str, str]) -> int:
    return int(mistake[0].rpartition(":")[2])


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
