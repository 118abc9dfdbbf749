"""Secrets that fixtures configure wherever one can stand, and the search for them in all that the tests bring forth.

Each value holds MARK, which is found as it is, URL-quoted and in Base64. tests/conftest.py looks for it in what every
test printed and logged at DEBUG, and in the files and databases that are left at the end; servers of the tests hand
what they are sent to `saw`.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

MARK = "kNr7" + "f3cQxZ"  # not as it is: tests copy the sources
PLACES = ("basic", "header", "bearer", "query", "sru", "z3950", "files", "output", "mail", "session", "account")
SECRETS = {place: f"{MARK} {number}&{place}/" for number, place in enumerate(PLACES)}
DATABASE = f"{MARK}db"  # in the address of a database, which induk.yaml holds: nowhere else
FOLDER = "rahasia"  # below it stand the files that references name
LARGEST = 1 << 26

SOURCES: Mapping[str, Mapping[str, str]] = {
    "oai-pmh": {"username": "perpus", "password": SECRETS["basic"], "header.X-Kunci": SECRETS["header"]},
    "sru": {"bearer": SECRETS["sru"]},
    "z3950": {"username": "perpus", "password": SECRETS["z3950"]},
    "files": {"bearer": SECRETS["files"]},
}


def _encoded() -> tuple[bytes, ...]:
    """MARK, and what of it is the same in Base64 wherever it begins."""
    forms = {MARK.encode()}
    for shift in range(3):
        text = base64.b64encode(b"x" * shift + MARK.encode())
        forms.add(text[4 if shift else 0 : (shift + len(MARK)) // 3 * 4])
    return tuple(sorted(forms))


FORMS = _encoded()
leaks: list[str] = []  # where one was seen, since it was asked last


def credentials(protocol: str) -> tuple[tuple[str, str], ...]:
    """What a source of this protocol is opened with."""
    return tuple(SOURCES.get(protocol, {}).items())


def reference(folder: Path, place: str, secret: str = "") -> str:
    """How a settings file in *folder* names a canary."""
    path = folder / FOLDER / place
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text((secret or SECRETS[place]) + "\n", encoding="utf-8")
    path.chmod(0o600)
    return f"file:{path}"


def references(folder: Path, protocol: str) -> tuple[tuple[str, str], ...]:
    """The credentials of a source as a partner's file has them."""
    given = SOURCES.get(protocol, {})
    return tuple((name, reference(folder, f"{protocol}.{name}", secret)) for name, secret in given.items())


def solr(folder: Path, url: str) -> str:
    """The settings of an output of this kind at *url*."""
    user, secret = reference(folder, "user", "induk"), reference(folder, "output")
    return f"{{kind: solr, url: '{url}', credentials: {{username: '{user}', password: '{secret}'}}}}"


def shows(body: bytes) -> bool:
    return any(form in body for form in FORMS)


def saw(place: str, *told: str | bytes) -> None:
    """Note *place* when one of these texts shows a canary."""
    if any(shows(one if isinstance(one, bytes) else one.encode("utf-8", "replace")) for one in told):
        leaks.append(place)


def taken() -> list[str]:
    """The places seen since the last call."""
    found = leaks[:]
    leaks.clear()
    return found


def below(folder: Path) -> Iterator[Path]:
    """The files below *folder* that show a canary."""
    for path in folder.rglob("*"):
        if FOLDER not in path.parts and path.is_file() and not path.is_symlink() and _in_file(path):
            yield path


def _in_file(path: Path) -> bool:
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as packed:
                return shows(packed.read(LARGEST))
        with path.open("rb") as file:
            body = file.read(LARGEST)
    except (OSError, EOFError):  # a socket, a file that went, a test's own damaged archive
        return False
    return shows(body.replace(DATABASE.encode(), b"") if path.name == "induk.yaml" else body)


def watching(app: Any) -> Any:
    """The ASGI application *app*; what it answers is looked through."""

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: Mapping[str, Any]) -> None:
            headers: Iterable[tuple[bytes, bytes]] = message.get("headers", ())
            saw(f"answer to {scope['path']}", message.get("body", b""), *(value for _, value in headers))
            await send(message)

        await app(scope, receive, sent)

    return watched
