"""The pages over the sample consortium, served on loopback, with one account of each role."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import uvicorn

import mappings
from harvester import accounts
from harvester.demo.sample import Sample
from harvester.pipeline import Pipeline
from harvester.web.app import create_app
from tests import canaries
from tests.journey import Consortium, enrol_sample

# name → role, partners. Of the partners `melati` is a library's, `smpn1` a school's, who sends a sheet.
PEOPLE: dict[str, tuple[str, tuple[str, ...]]] = {
    "ani": ("admin", ()),
    "budi": ("cataloguer", ()),
    "citra": ("cataloguer", ("melati",)),
    "dewi": ("partner", ("smpn1",)),
    "eko": ("viewer", ()),
}


def password(name: str) -> str:
    """Everybody's password in these tests."""
    return f"{canaries.SECRETS['account']}{name}"


class Desk:
    """A served consortium."""

    def __init__(self, folder: Path, url: str = "") -> None:
        self.folder = folder
        self.sample = Sample(folder / "served")
        self.consortium = Consortium(folder / "c", url or f"sqlite:///{folder / 'induk.db'}")
        # its own rule files: what a test proves does not move with the shipped ones while they are edited
        shipped = Path(str(mappings.__file__)).with_name("rules")
        shutil.copytree(shipped, folder / "c" / "mappings" / "rules")
        self.pipeline: Pipeline
        self.base = ""

    @contextmanager
    def open(self) -> Iterator[Desk]:
        with self.sample:
            enrol_sample(self.consortium, self.sample.partners())
            self.consortium.night()
            self.sample.night(2)
            self.consortium.night()
            self.pipeline = self.consortium.open()
            for name, (role, partners) in PEOPLE.items():
                accounts.add(self.pipeline.database, self.pipeline.clock, name, role, partners, password(name))
            with served(self.pipeline) as self.base:
                yield self
            self.pipeline.database.close()

    def session(self, name: str = "", lang: str = "en") -> Session:
        """Somebody's browser; nobody's without a name."""
        made = Session(self.base, lang)
        if name:
            made.log_in(name)
        return made


class Session(requests.Session):
    """A browser without a screen: keeps cookies, knows the form token."""

    def __init__(self, base: str, lang: str = "en") -> None:
        super().__init__()
        self.trust_env = False
        self.base = base
        self.headers.update({"accept-language": lang, "origin": base})

    def log_in(self, name: str) -> None:
        answer = self.send_form("/login", name=name, password=password(name))
        assert answer.status_code in (200, 303), answer.text[-500:]

    def token(self, path: str = "/help") -> str:
        """The form token that pages of this session carry."""
        self.see(path)
        text = self.see("/login").text
        found = re.search(r'name="csrf" value="(\w+)"', text)
        assert found
        return found.group(1)

    def see(self, path: str, **options: Any) -> requests.Response:
        return self.get(self.base + path, timeout=60, **{"allow_redirects": False, **options})

    def send_form(self, path: str, files: Any = None, **fields: Any) -> requests.Response:
        body = {"csrf": self.token(), **fields}
        return self.post(self.base + path, data=body, files=files, timeout=120, allow_redirects=False)


@contextmanager
def served(pipeline: Pipeline) -> Iterator[str]:
    """The pages of *pipeline* on a free port of loopback; yields their address."""
    config = uvicorn.Config(
        canaries.watching(create_app(pipeline)), host="127.0.0.1", port=0, log_level="error", ws="none", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(120)
