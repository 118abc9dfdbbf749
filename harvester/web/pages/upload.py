"""A partner sends its sheet: first what would happen row by row, then, if it says so, the import.

Between the two the file lies under its own digest in the data folder: what is imported is what was looked at.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from starlette.responses import RedirectResponse, Response

from harvester import importing
from harvester import pipeline as journey
from harvester.errors import Locked, UsageError
from harvester.sources import sheet_template
from harvester.web.pages.partners import known
from harvester.web.pages.records import download
from harvester.web.views import Pages, View
from harvester.web.visit import Visit

pages = Pages()
SUFFIXES = (".csv", ".xlsx", ".tsv", ".txt", ".mrc", ".xml", ".zip", ".gz", ".json", ".jsonl")
KEPT = 20  # uploads a partner has waiting
SHOWN = 500
_DIGEST = re.compile(r"[0-9a-f]{40}\.[a-z]{2,5}")


@pages.get("/partners/{code}/upload", needs="upload", forms=("",))
def form(visit: Visit) -> View:
    code = known(visit)
    visit.need("upload", [code])
    return View("upload.html", {"code": code, "found": None, "token": "", "name": "", "content": ""})


@pages.get("/partners/{code}/template", needs="upload", forms=("",))
def template(visit: Visit) -> Response:
    """The sheet to fill in."""
    visit.need("upload", [known(visit)])
    return download(sheet_template.write(), "induk.xlsx")


@pages.post("/partners/{code}/upload", needs="upload", long=True)
def upload(visit: Visit) -> View | Response:
    """Look at the file that was sent, or import the one that was looked at."""
    code = known(visit)
    visit.need("upload", [code])
    content = visit.field("content") if visit.field("content") in ("full", "delta", "deletes") else ""
    if visit.field("step") == "do" and visit.field("token"):
        return _import(visit, code, _kept(visit, code, visit.field("token")), content)
    name, body = visit.file("file")
    path = _keep(visit, code, name, body)
    if visit.field("step") == "do":  # curl: one call
        return _import(visit, code, path, content)
    found = importing.import_dry(visit.pipeline, code, [path], content=content, language=visit.language)
    data = {
        "code": code,
        "name": name,
        "token": path.name,
        "content": content,
        "found": found,
        "lines": [one for one in found.lines if one.kind != "unchanged" or one.remarks][:SHOWN],
        "counts": dict(found.counts),
    }
    return View("upload.html", data)


def _folder(visit: Visit, code: str) -> Path:
    """Where this partner's uploads wait; the code is one of the settings, never a text of a request."""
    return visit.pipeline.settings.data_folder / "uploads" / code


def _keep(visit: Visit, code: str, name: str, body: bytes) -> Path:
    suffix = Path(name).suffix.lower()
    if not body:
        raise UsageError("no file was sent")
    folder = _folder(visit, code)
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / (hashlib.blake2b(body, digest_size=20).hexdigest() + (suffix if suffix in SUFFIXES else ".bin"))
    made.write_bytes(body)
    waiting = sorted((one for one in folder.iterdir() if one.is_file()), key=lambda one: one.stat().st_mtime)
    for old in waiting[:-KEPT]:
        old.unlink(missing_ok=True)
    return made


def _kept(visit: Visit, code: str, token: str) -> Path:
    path = _folder(visit, code) / token
    if not _DIGEST.fullmatch(token) or not path.is_file():
        raise UsageError("no file was sent")
    return path


def _import(visit: Visit, code: str, path: Path, content: str) -> Response:
    """Into the ledger, then matched; where the match is at work elsewhere, it comes there in its turn."""
    outcome = importing.import_files(visit.pipeline, code, [path], content=content, language=visit.language)
    visit.note("upload", code, path.name, f"run {outcome.run_id}: {outcome.verdict} {outcome.reason}")
    try:
        journey.match(visit.pipeline)
    except Locked:
        visit.pipeline.log("web.match.waits", run=outcome.run_id)
    if visit.by_token:
        return Response(f'{{"run": {outcome.run_id}, "verdict": "{outcome.verdict}"}}', media_type="application/json")
    return RedirectResponse(f"/runs/{outcome.run_id}?uploaded=1", 303)
