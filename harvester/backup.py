"""Backups: a folder each with the copy and its manifest, made beside and renamed when whole; and putting one back."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from db import backup as stored
from db.engine import Database
from harvester import faultpoint
from harvester.errors import ConfigError, IntegrityError
from harvester.i18n import N_
from harvester.model import Clock

MANIFEST = "manifest.json"
COPY = {True: "induk.db", False: "induk.pgdump"}
BLOCK = 1 << 20


def back_up(database: Database, folder: Path, clock: Clock, version: str) -> tuple[Path, dict[str, Any]]:
    """Copy the database into a new folder under *folder*; returns it and its manifest. Others may go on working.

    A backup that was killed leaves a folder that ends in `.part` and that the next one removes.
    """
    name = clock.now().strftime("induk-%Y%m%dT%H%M%SZ")
    target, part = folder / name, folder / f"{name}.part"
    if target.exists():
        raise ConfigError(f"{target} is there already")
    folder.mkdir(parents=True, exist_ok=True)
    with database.lock("backup"):
        for old in folder.glob("induk-*.part"):
            shutil.rmtree(old)
        part.mkdir(mode=0o700)  # it holds what partners withhold
        copy = part / COPY[database.sqlite]
        found = stored.copy(database, copy)
        kind = "sqlite" if database.sqlite else "postgresql"
        manifest = {"made": name, "kind": kind, "version": version, "sha256": sha256(copy), "file": copy.name, **found}
        (part / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        for path in (copy, part / MANIFEST, part):
            stored.sync(path)
        faultpoint.reach("backup.written")
        part.replace(target)
        stored.sync(folder)
    return target, manifest


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a backup.

    Raises:
        ConfigError: it is no whole backup.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder} is no whole backup", hint="it has no readable manifest.json") from error
    return manifest


def check(folder: Path) -> dict[str, Any]:
    """The manifest, after the copy was compared with it byte for byte.

    Raises:
        IntegrityError: the file is not the one that was written.
    """
    manifest = read_manifest(folder)
    name = str(manifest.get("file", ""))
    if name not in COPY.values():  # never a path out of the folder
        raise ConfigError(f"{folder} is no whole backup", hint=f"its manifest names {name!r}")
    if sha256(folder / name) != manifest.get("sha256"):
        raise IntegrityError(f"{folder / name} is damaged: its SHA-256 is not that of the manifest")
    return manifest


def restore(database: Database, folder: Path) -> dict[str, Any]:
    """Make the database what the backup holds; every consumer of the feed is told to begin again.

    Raises:
        Locked: somebody works on the database.
        ConfigError, IntegrityError: the backup does not fit or is damaged; the database is as it was.
    """
    manifest = check(folder)
    if manifest["kind"] != ("sqlite" if database.sqlite else "postgresql"):
        raise ConfigError(f"the backup is of {manifest['kind']}", hint="restore into a database of the same kind")
    with stored.alone(database):
        epoch = stored.put_back(database, folder / manifest["file"], manifest)
    return {"from": manifest["made"], "schema": manifest["schema"], "epoch": epoch, "counts": manifest["counts"]}


def sha256(path: Path) -> str:
    """The hash of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def oldest(folder: Path, keep: int) -> list[Path]:
    """Whole backups beyond the *keep* newest ones."""
    whole = sorted(path.parent for path in folder.glob(f"induk-*Z/{MANIFEST}"))
    return whole[: max(len(whole) - keep, 0)]


def summary(manifest: Mapping[str, Any]) -> str:
    """One line about a backup."""
    counts = manifest["counts"]
    return N_(f"{counts['record']} records, {counts['cluster']} clusters, feed {manifest['feed']['seq']}")
