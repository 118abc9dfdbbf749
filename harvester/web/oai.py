"""The OAI-PMH provider of the union at /oai, by GET and POST."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from harvester.outputs.oai_provider import Repository, respond
from harvester.pipeline import Pipeline
from harvester.publishing import reading, write_marc

MAX_BYTES = 16_384
MAX_ARGUMENTS = 50
KEY = "oai.key"


def router(opened: Pipeline) -> APIRouter:
    """The routes of the provider over an open pipeline."""
    made = APIRouter(tags=["oai-pmh"])
    secret = key(opened.settings.data_folder)

    async def answer(request: Request, query: bytes) -> Response:
        if len(query) > MAX_BYTES:
            return Response("too long", 413)
        try:
            parameters = parse_qsl(
                query.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_ARGUMENTS
            )
        except ValueError:
            parameters = []  # badVerb
        base = opened.settings.web.base_url.rstrip("/") or str(request.base_url).rstrip("/")
        body = await run_in_threadpool(_respond, opened, parameters, f"{base}/oai", secret)
        return Response(body, media_type="text/xml")

    @made.get("/oai")
    async def get(request: Request) -> Response:
        """A request of OAI-PMH 2.0."""
        return await answer(request, request.url.query.encode())

    @made.post("/oai")
    async def post(request: Request) -> Response:
        """The same as a form."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BYTES:
                break
        return await answer(request, bytes(body))

    return made


def _respond(opened: Pipeline, parameters: list[tuple[str, str]], url: str, secret: bytes) -> bytes:
    settings = opened.settings
    name = settings.name.id or settings.name.en or "Induk"
    repository = Repository(name, url, settings.web.repository_id, settings.contact, secret, write_marc)
    with reading(opened) as catalogue:
        return respond(parameters, catalogue, repository, opened.clock.now())


def key(folder: Path) -> bytes:
    """The key that signs resumption tokens, made once: a harvest goes on after a restart of ours."""
    path = folder / KEY
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{KEY}.{os.getpid()}")
    if not path.exists():
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_hex(32).encode())
        try:
            os.link(part, path)  # of two that start together one wins
        except FileExistsError:
            pass
        finally:
            part.unlink()
    return path.read_bytes().strip()
