"""Everything that is served: pages, API, OAI-PMH provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import FastAPI

from harvester.pipeline import Pipeline
from harvester.web import api, health, oai
from harvester.web.app import create_app


def application(
    pipeline: Pipeline, environ: Mapping[str, str], opener: Callable[[], Pipeline] | None = None
) -> FastAPI:
    """The whole application over an open pipeline; secrets are read now."""
    secret = pipeline.settings.web.session_secret
    revealed = secret.reveal(environ) if secret is not None else ""
    routers = [api.router(pipeline), oai.router(pipeline), health.router]
    return create_app(pipeline, secret=revealed, routers=routers, opener=opener)
