"""The application: pages, static files, and what guards them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles

from harvester.pipeline import Pipeline
from harvester.web import pages
from harvester.web.opened import Opened
from harvester.web.protect import Protect

STATIC = Path(__file__).with_name("static")


def create_app(
    pipeline: Pipeline,
    *,
    secret: str = "",
    routers: Iterable[APIRouter] = (),
    opener: Callable[[], Pipeline] | None = None,
) -> FastAPI:
    """The pages over an open pipeline, and further *routers* beside them.

    *opener* opens the pipeline anew when its files have changed; without it the settings stay those that are open.
    *secret* signs the tokens of forms; without one it is made now, and forms opened before a restart are refused.
    """
    app = FastAPI(title="Induk", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.opened = Opened(pipeline, opener)
    app.state.secret = secret or secrets.token_urlsafe(32)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for router in (*pages.routers(), *routers):
        app.include_router(router)
    app.add_middleware(Protect)
    return app
