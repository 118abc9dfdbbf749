"""The mistakes of one mapping file, each at its line."""

from __future__ import annotations

from harvester.yaml_file import YamlFile

YamlPath = tuple[str | int, ...]


class Problems:
    """Collects `file:line: sentence (suggestion)`; several files share one *found* list."""

    def __init__(self, file: YamlFile, found: list[str]) -> None:
        self.file = file
        self._found = found

    def __len__(self) -> int:
        return len(self._found)

    def place(self, path: YamlPath) -> str:
        """`file:line` of the value at *path*."""
        return self.file.place(*path)

    def add(self, path: YamlPath, message: str, hint: str = "") -> None:
        """Note a mistake at *path*."""
        text = f"{self.place(path)}: {message}" + (f" ({hint})" if hint else "")
        if text not in self._found:
            self._found.append(text)
