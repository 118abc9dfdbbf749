"""Full and delta files in a folder, with a manifest: what jsonl, marcxml and iso2709 share.

A file is written beside its place, flushed to disk and renamed; the manifest is renamed last. So a reader of the
manifest never meets a half file, and a crash leaves nothing but a stray file, which the next writing removes.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from harvester.errors import ConfigError, OutputError, RecordError
from harvester.i18n import N_
from harvester.model import Catalogue, ClusterDocument
from harvester.outputs.batch import Batch, Drift, Marc, Opening, OutputState, Rejection, institutions, option
from harvester.outputs.privacy import released

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MANIFEST = "manifest.json"
SCHEMA_VERSION = 1


class Format(NamedTuple):
    """How documents become bytes; each record, and each deletion, ends with `end`, which no record contains."""

    suffix: str
    head: bytes
    tail: bytes
    end: bytes
    encode: Callable[[ClusterDocument], bytes]
    gone: Callable[[str, str], bytes]  # cluster, redirect target or ""
    identify: Callable[[bytes], tuple[str, bool]]  # a record's bytes → cluster id and whether it is a deletion


class FileEntry(msgspec.Struct, frozen=True):
    """One file: the changes in (since, until] that it carries (full: all up to until), and what proves it whole."""

    name: str
    kind: str
    since: int
    until: int
    records: int
    deleted: int
    bytes: int
    sha256: str
    at: str = ""


class Manifest(msgspec.Struct, frozen=True):
    """What the folder holds. Load the full file, then the deltas in the order of this list.

    `remove` names files that are gone from here: whoever copied them should remove them too, as they may hold
    what a partner has withheld since. `refused` are clusters that the format has no place for.
    """

    output: str
    epoch: str
    position: int
    schema_version: int = SCHEMA_VERSION
    at: str = ""
    files: tuple[FileEntry, ...] = ()
    refused: tuple[Rejection, ...] = ()
    remove: tuple[str, ...] = ()


class Files:
    """A folder of files of one format."""

    def __init__(self, opening: Opening, form: Format) -> None:
        self._name = opening.name
        self._folder = Path(opening.url)
        self._form = form
        self._now = opening.clock.now
        self._packing = option(opening, "compress", "")
        if not opening.url or self._packing not in ("", "gz", "zst"):
            hint = "url is a folder; compress is gz, zst or empty"
            raise ConfigError("cannot write files", place=f"outputs.{self._name}", hint=hint)

    def apply(self, batch: Batch) -> Sequence[Rejection]:
        """Write the batch as one delta file; the same batch gives the same file."""
        with _disk(self._folder):
            manifest = self._manifest()
            clusters = sorted([*batch.documents, *batch.gone])
            rejected: list[Rejection] = []
            entries = list(manifest.files)
            if clusters:
                mark = hashlib.sha256("\n".join(clusters).encode()).hexdigest()[:8]
                name = f"delta-{batch.since:012d}-{batch.until:012d}-{mark}"
                pieces = self._pieces(batch.documents.values(), rejected)
                gone = (self._form.gone(cluster, target) for cluster, target in batch.gone.items())
                entry = self._write(name, "delta", batch.since, batch.until, pieces, gone)
                entries = [one for one in entries if one.name != entry.name] + [entry]
            kept = [one for one in manifest.refused if one.cluster not in {*batch.documents, *batch.gone}]
            position = max(batch.until, manifest.position if manifest.epoch == batch.epoch else 0)
            self._publish(batch.epoch, position, entries, [*kept, *rejected], manifest)
        return rejected

    def snapshot(self, catalogue: Catalogue) -> Sequence[Rejection]:
        """Write everything into one full file; older files are removed and listed in the manifest."""
        catalogue = released(catalogue)
        with _disk(self._folder):
            manifest = self._manifest()
            rejected: list[Rejection] = []
            position = catalogue.released
            documents = (document for page in catalogue.pages() for document in page)
            pieces = self._pieces(documents, rejected)
            entry = self._write(self._full_name(position, manifest), "full", 0, position, pieces, ())
            self._publish(catalogue.epoch, position, [entry], rejected, manifest)
        return rejected

    def verify(self, catalogue: Catalogue, repair: bool = False) -> Drift:
        """Prove the files by the manifest and what they add up to by the catalogue, which must stand at its position.

        Repair writes the difference as one more delta, or everything anew where a file is damaged.
        """
        catalogue = released(catalogue)
        with _disk(self._folder):
            manifest = self._manifest()
            notes = self._gaps(manifest) or [note for entry in manifest.files for note in self._damage(entry)]
            if manifest.epoch not in ("", catalogue.epoch):
                notes.append("the files are of another epoch of the catalogue")
            held = {} if notes else self._held(manifest)
        missing, different, wanted = [], [], set[str]()
        refused = {one.cluster for one in manifest.refused}
        for page in catalogue.pages():
            for document in page:
                wanted.add(document.cluster)
                found = held.get(document.cluster)
                if found is None and document.cluster not in refused:
                    missing.append(document.cluster)
                elif found is not None and found != self._digest(document):
                    different.append(document.cluster)
        surplus = [cluster for cluster in held if cluster not in wanted]
        if notes:
            missing = []  # nothing can be said of what a damaged file holds
        drift = Drift(tuple(missing), tuple(different), tuple(surplus), (), tuple(notes))
        return self._repaired(drift, catalogue, manifest) if repair and not drift.clean else drift

    def lost(self, state: OutputState) -> str:
        """What stands there no longer of all that was written up to *state*: files and their names, not their bytes."""
        with _disk(self._folder):
            manifest = self._manifest()
            gaps = self._gaps(manifest)
        if not gaps and (manifest.epoch != state.epoch or manifest.position < state.reached):
            gaps = [N_(f"the files end at change {manifest.position}, not at {state.reached}")]
        return "; ".join(gaps)

    # ---- writing -------------------------------------------------------------------------------------

    def _full_name(self, position: int, manifest: Manifest) -> str:
        """A stem that no file has had: who copied that one learns from `remove` that it is not this one."""
        known = {name.partition(".")[0] for name in (*manifest.remove, *(entry.name for entry in manifest.files))}
        stem = f"full-{position:012d}"
        return next(one for one in chain([stem], (f"{stem}-{number}" for number in count(2))) if one not in known)

    def _pieces(self, documents: Iterable[ClusterDocument], rejected: list[Rejection]) -> Iterator[bytes]:
        for document in documents:
            try:
                yield self._form.encode(document)
            except RecordError as error:
                rejected.append(Rejection(document.cluster, document.cluster, error.message))

    def _write(
        self, stem: str, kind: str, since: int, until: int, pieces: Iterable[bytes], gone: Iterable[bytes]
    ) -> FileEntry:
        name = f"{stem}.{self._form.suffix}" + (f".{self._packing}" if self._packing else "")
        path = self._folder / name
        part = path.with_name(f".{name}.part")
        counts = [0, 0]
        with part.open("wb") as raw:
            with _packed(raw, self._packing) as file:
                file.write(self._form.head)
                for index, group in enumerate((pieces, gone)):
                    for piece in group:
                        file.write(piece + self._form.end)
                        counts[index] += 1
                file.write(self._form.tail)
            raw.flush()
            os.fsync(raw.fileno())
        size, digest = _proof(part)
        part.replace(path)
        return FileEntry(name, kind, since, until, counts[0], counts[1], size, digest, self._now().isoformat())

    def _publish(
        self, epoch: str, position: int, entries: Sequence[FileEntry], refused: Sequence[Rejection], old: Manifest
    ) -> None:
        names = {entry.name for entry in entries}
        remove = sorted({*old.remove, *(entry.name for entry in old.files)} - names)[-1000:]
        at = self._now().isoformat()
        manifest = Manifest(
            self._name, epoch, position, at=at, files=tuple(entries), refused=tuple(refused), remove=tuple(remove)
        )
        part = self._folder / f".{MANIFEST}.part"
        with part.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._folder / MANIFEST)
        self._sweep(names)

    def _sweep(self, names: set[str]) -> None:
        """Remove files of ours that the manifest does not name; flush the folder itself."""
        ours = re.compile(rf"\.?(full|delta)-\d{{12}}.*\.{re.escape(self._form.suffix)}(\.(gz|zst))?(\.part)?")
        for path in self._folder.iterdir():
            if path.name not in names and ours.fullmatch(path.name):
                path.unlink()
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    # ---- reading back --------------------------------------------------------------------------------

    def _manifest(self) -> Manifest:
        path = self._folder / MANIFEST
        if not path.exists():
            return Manifest(self._name, "", 0)
        try:
            return msgspec.json.decode(path.read_bytes(), type=Manifest)
        except msgspec.DecodeError as error:
            raise OutputError(f"is no manifest: {error}", place=str(path), hint="remove it to start anew") from error

    def _gaps(self, manifest: Manifest) -> list[str]:
        """What a consumer of this manifest would miss; nobody can load deltas without the full file before them."""
        if not manifest.epoch:
            return [N_(f"{MANIFEST} is missing")]
        gaps = [N_(f"{one.name} is missing") for one in manifest.files if not (self._folder / one.name).exists()]
        return gaps if any(one.kind == "full" for one in manifest.files) else [N_("there is no full file"), *gaps]

    def _damage(self, entry: FileEntry) -> list[str]:
        sound = _proof(self._folder / entry.name) == (entry.bytes, entry.sha256)
        return [] if sound else [N_(f"{entry.name} is not what was written")]

    def _held(self, manifest: Manifest) -> dict[str, bytes]:
        """Cluster → digest of its record, as a consumer has it after loading all files."""
        held: dict[str, bytes] = {}
        for entry in manifest.files:
            for piece in self._records(self._folder / entry.name):
                cluster, deleted = self._form.identify(piece)
                if deleted:
                    held.pop(cluster, None)
                else:
                    held[cluster] = _short(piece)
        return held

    def _records(self, path: Path) -> Iterator[bytes]:
        with path.open("rb") as raw, _packed(raw, self._packing, "rb") as file:
            rest = b""
            file.read(len(self._form.head))
            while chunk := file.read(1 << 20):
                *whole, rest = (rest + chunk).split(self._form.end)
                yield from whole

    def _digest(self, document: ClusterDocument) -> bytes | None:
        try:
            return _short(self._form.encode(document))
        except RecordError:
            return None

    def _repaired(self, drift: Drift, catalogue: Catalogue, manifest: Manifest) -> Drift:
        if drift.notes:
            self.snapshot(catalogue)
            return drift._replace(repaired=len(drift.notes))
        clusters = [*drift.missing, *drift.different]
        documents = catalogue.documents(clusters)
        gone = dict.fromkeys(drift.surplus, "")
        self.apply(Batch(manifest.epoch, manifest.position, manifest.position, "", documents, gone))
        return drift._replace(repaired=len(clusters) + len(gone))


def _short(piece: bytes) -> bytes:
    return hashlib.blake2b(piece, digest_size=8).digest()


def _proof(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return path.stat().st_size, digest.hexdigest()


@contextmanager
def _packed(raw: Any, packing: str, mode: str = "wb") -> Iterator[Any]:
    if packing == "gz":
        with gzip.GzipFile("", mode, fileobj=raw, mtime=0) as packed:  # no time inside: equal content, equal bytes
            yield packed
    elif packing == "zst":
        with zstd.ZstdFile(raw, "r") if mode == "rb" else zstd.ZstdFile(raw, "w") as packed:
            yield packed
    else:
        yield raw


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """Within it, trouble with the folder is an OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror or error}", place=str(folder)) from error


def marc_of(opening: Opening) -> Callable[[ClusterDocument], Any]:
    """Document → its MARC record."""
    names = institutions(opening.partners)

    def marc(document: ClusterDocument) -> Any:
        return opening.marc(document.union, document.cluster, Marc(names, document.changed, document.linked))

    return marc
