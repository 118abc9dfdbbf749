"""Many partners at once, from a table that a consortium keeps anyway."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harvester import settings as configuration
from harvester.errors import ConfigError
from harvester.model import Partner, Source, Value
from harvester.normalize.mapping import for_source
from harvester.settings import Settings
from harvester.settings_schema import CODE

COLUMNS = ("code", "url", "protocol", "preset", "name", "name_en", "contact", "region", "type", "isil", "npp")
MAX_ROWS = 100_000


class Enlisted(Value, frozen=True):
    """A partner that was written, or would be."""

    code: str
    url: str
    path: str


def from_csv(settings: Settings, path: Path, *, dry_run: bool = False) -> tuple[Enlisted, ...]:
    """Write a partner file for each row of the CSV file at *path*; all rows, or none when one has a mistake.

    Raises:
        ConfigError: with every mistake, as file:line.
    """
    known = {one.code for one in settings.partners}
    partners: list[Partner] = []
    problems: list[str] = []
    for line, row in _rows(path):
        problem = _mistake(row, known)
        if problem:
            problems.append(f"{path.name}:{line}: {problem}")
            continue
        known.add(row["code"])
        try:
            partners.append(_partner(row, configuration.mapping_folders(settings.folder)))
        except ConfigError as error:
            problems.append(f"{path.name}:{line}: {error}")
    if problems or not partners:
        problems = problems or [f"{path.name}: there is no row"]
        raise ConfigError(f"{len(problems)} mistakes, nothing was written", problems=tuple(problems))
    made = []
    for one in partners:
        target = settings.folder / "partners.d" / f"{one.code}.yaml"
        written = target if dry_run else configuration.write_partner(settings.folder, one)
        made.append(Enlisted(one.code, one.sources[0].url, str(written)))
    return tuple(made)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, cells by column) of each row that is not empty."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        first = stream.readline()
        stream.seek(0)
        delimiter = ";" if first.count(";") > first.count(",") else ","
        reader = csv.DictReader(stream, delimiter=delimiter)
        unknown = sorted({str(name) for name in reader.fieldnames or ()} - set(COLUMNS))
        if unknown or "code" not in (reader.fieldnames or ()):
            hint = f"columns: {', '.join(COLUMNS)}"
            raise ConfigError(f"columns that are none: {', '.join(unknown) or 'code is missing'}", hint=hint)
        for number, row in enumerate(reader, 2):
            if number > MAX_ROWS:
                raise ConfigError(f"more than {MAX_ROWS:,} rows", place=path.name)
            cells = {name: (value or "").strip() for name, value in row.items() if isinstance(name, str)}
            if any(cells.values()):
                yield number, cells


def _mistake(row: Mapping[str, str], known: set[str]) -> str:
    code = row["code"]
    if not CODE.fullmatch(code):
        return f"{code!r} is no code: small letters a-z, digits and - only"
    if code in known:
        return f"{code} is there already"
    if not row.get("url") and row.get("protocol") != "files":
        return f"{code} has no url"
    return ""


def identifier_rule(protocol: str, preset: str, folders: Sequence[Path] = ()) -> str:
    """The identifier rule of a new source: that of its preset where the software changes what stands before it.

    A partner that is there already keeps its addresses: another rule would give every record a new one.

    Raises:
        ConfigError: there is no such preset, shipped or in *folders*, or it has mistakes.
    """
    named = for_source(preset, "oai_dc", folders).identifier_rule
    return named if protocol == "oai-pmh" and named == "header-number" else ""


def _partner(row: Mapping[str, str], folders: Sequence[Path]) -> Partner:
    code = row["code"]
    protocol, preset = row.get("protocol") or "oai-pmh", row.get("preset") or "generic"
    source = Source(
        code=code,
        protocol=protocol,
        url=row.get("url", ""),
        preset=preset,
        identifier_rule=identifier_rule(protocol, preset, folders),
    )
    name = row.get("name") or code
    return Partner(
        code=code,
        name_id=name,
        name_en=row.get("name_en") or name,
        sources=(source,),
        contact=row.get("contact", ""),
        region=row.get("region", ""),
        type=row.get("type", ""),
        isil=row.get("isil", ""),
        npp=row.get("npp", ""),
    )
