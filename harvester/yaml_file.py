"""YAML as librarians expect it: the core types of YAML 1.2 only, and the line of every value.

PyYAML's YAML 1.1 turns tag 020 into 16 and language code `no` into False; here a plain scalar is null, true/false,
a decimal integer without leading zeros, a float, or text. Tags such as !!python/object are refused.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from harvester.errors import ConfigError

MAX_BYTES = 4_000_000
MAX_NODES = 200_000

Path_ = tuple[str | int, ...]
SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _CoreLoader(SafeLoader):  # type: ignore[misc]
    """The C loader with the resolvers of YAML 1.2's core schema."""


_CoreLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    ("float", r"^[-+]?(?:(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?|\.(?:inf|nan))$", "-+0123456789."),
):
    _CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


class YamlFile:
    """A parsed file: `value` is plain Python; `place(path)` is `file:line` of the value at *path*."""

    def __init__(self, name: str, value: Any, lines: dict[Path_, int]) -> None:
        self.name = name
        self.value = value
        self._lines = lines

    def place(self, *path: str | int) -> str:
        """`file:line` of the value at *path*, or of its nearest parent that stands in the file."""
        while path and path not in self._lines:
            path = path[:-1]
        return f"{self.name}:{self._lines.get(path, 1)}"


def read(path: Path, *, name: str = "") -> YamlFile:
    """Parse the file at *path*; *name* stands in messages instead of its own name.

    Raises:
        ConfigError: unreadable, too large, no UTF-8 or no YAML; the message starts with file:line.
    """
    label = name or path.name
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"larger than {MAX_BYTES} bytes", place=label)
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", place=label) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"is not UTF-8 at byte {error.start}", place=label) from error
    return parse(text, name=label)


def parse(text: str, *, name: str = "text") -> YamlFile:
    """Parse *text*. Anchors and duplicate keys are refused: neither helps a reader of a mapping."""
    try:
        loader = _CoreLoader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"is no YAML: {error.problem or error.context}", place=f"{name}:{line}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"is no YAML: {error}", place=name) from error
    lines: dict[Path_, int] = {}
    value = _Builder(name, lines).build(node, ()) if node is not None else None
    return YamlFile(name, value, lines)


class _Builder:
    """Plain Python out of YAML nodes, noting the line of each value."""

    def __init__(self, name: str, lines: dict[Path_, int]) -> None:
        self._name = name
        self._lines = lines
        self._seen: set[int] = set()

    def build(self, node: Any, path: Path_) -> Any:
        self._note(node, path)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*path, index)) for index, child in enumerate(node.value)]
        return self._scalar(node)

    def _note(self, node: Any, path: Path_) -> None:
        if id(node) in self._seen or len(self._seen) > MAX_NODES or len(path) > 40:
            raise ConfigError("aliases, very deep or very large files are not accepted", place=self._place(node))
        self._seen.add(id(node))
        self._lines[path] = node.start_mark.line + 1

    def _mapping(self, node: Any, path: Path_) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigError("a key must be plain text", place=self._place(key_node))
            key = str(key_node.value)
            if key in result:
                raise ConfigError(f"key {key!r} stands twice", place=self._place(key_node))
            result[key] = self.build(value_node, (*path, key))
            self._lines[(*path, key)] = key_node.start_mark.line + 1
        return result

    def _scalar(self, node: Any) -> Any:
        text = str(node.value)
        match node.tag.rpartition(":")[2]:
            case "str":
                return text
            case "int":
                return int(text) if len(text) < 20 else text
            case "float":
                return float(text)
            case "bool":
                return text.lower() == "true"
            case "null":
                return None
            case _:
                raise ConfigError(f"tag {node.tag!r} is not accepted", place=self._place(node))

    def _place(self, node: Any) -> str:
        return f"{self._name}:{node.start_mark.line + 1}"
