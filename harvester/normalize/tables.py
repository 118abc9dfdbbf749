"""Tables of mappings/tables: a YAML file of `code: [word, …]` or `word: code` becomes a look-up by folded word."""

from __future__ import annotations

from typing import Any

from harvester.yaml_file import YamlFile


class Table(dict[str, str]):
    """Folded text → value; `find` folds what it is asked for."""

    def find(self, text: str) -> str | None:
        """The value for *text*, whatever its case and outer punctuation; None when it is not in the table."""
        return self.get(text) or self.get(key(text))


def key(text: str) -> str:
    """The form under which *text* is looked up: lower case, single blanks, no outer marks."""
    return " ".join(text.casefold().split()).strip(" .,;:()[]/")


def table_of(file: YamlFile) -> Table:
    """The table in *file*: its key `values` holds value → list of words.

    Every value also stands for itself, unless the file says `closed: true`.
    """
    table = Table()
    content: dict[str, Any] = file.value if isinstance(file.value, dict) else {}
    for value, names in (content.get("values") or {}).items():
        if not content.get("closed"):
            table.setdefault(key(value), value)
        for name in names if isinstance(names, list) else [names]:
            if name is not None:
                table.setdefault(key(str(name)), value)
    return table
