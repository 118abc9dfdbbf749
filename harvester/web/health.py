"""/healthz: the process answers; /readyz: it can work; /metrics: Prometheus. No record or person is named."""

from __future__ import annotations

import shutil
from contextlib import closing

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from sqlalchemy.exc import DBAPIError

from db import migrate
from db.engine import Database
from harvester import metrics
from harvester.errors import IndukError
from harvester.pipeline import Pipeline

FREE_BYTES = 100 << 20
KIND = "text/plain; version=0.0.4; charset=utf-8"
router = APIRouter()


@router.get("/healthz", include_in_schema=False)
def healthz() -> PlainTextResponse:
    """The process lives: restart it when this does not answer."""
    return PlainTextResponse("ok\n")


@router.get("/readyz", include_in_schema=False)
def readyz(request: Request) -> PlainTextResponse:
    """503 with the reason while the database, its schema or the disk does not allow work."""
    trouble = unready(request.app.state.opened.pipeline)
    return PlainTextResponse(f"{trouble or 'ready'}\n", 503 if trouble else 200)


def unready(pipeline: Pipeline) -> str:
    """Why no work is possible; empty when it is. No message of a driver: it may name hosts and users."""
    try:
        # a connection of its own: one that had answered before would be waited for
        with closing(Database(pipeline.database.url)) as database:
            migrate.require(database)
    except DBAPIError:
        return "the database does not answer"
    except IndukError as error:
        return str(error)
    free = shutil.disk_usage(pipeline.settings.folder).free
    return "" if free >= FREE_BYTES else f"only {free >> 20} MiB are free"


@router.get("/metrics", include_in_schema=False)
def prometheus(request: Request) -> PlainTextResponse:
    """Every number, read now."""
    return PlainTextResponse(metrics.text(metrics.collect(request.app.state.opened.pipeline)), media_type=KIND)
