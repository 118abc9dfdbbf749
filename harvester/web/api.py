"""The HTTP API: clusters, records, holdings, search and the change feed as JSON, described by /api/openapi.json.

Everybody may ask; what is answered has passed policy and value filters. Answers are the values of harvester.answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import msgspec
from anyio import sleep
from fastapi import APIRouter, Path, Query, Request
from fastapi.openapi.utils import get_openapi
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from db import changes as feed
from db.search import Query as SearchQuery
from harvester import answers, asking, rule_files
from harvester.errors import UsageError
from harvester.formats import iso2709_write, marc_json, marcxml_write
from harvester.outputs import dublin_core
from harvester.outputs.batch import Marc, institutions, partner_of
from harvester.pipeline import Pipeline
from harvester.publishing import write_marc

JSON, NDJSON = "application/json", "application/x-ndjson"
MAX_WAIT = 30  # seconds of a long poll
TICK = 0.25
MAX_OFFSET = 10_000
BIG = 1 << 62
CHUNK = 1 << 16

Form = Literal["json", "marcxml", "marc-json", "iso2709", "oai_dc"]
Cluster = Annotated[str, Path(description="a cluster's id", max_length=20)]
Since = Annotated[int, Query(description="the last number that you have; 0 is the beginning", ge=0, le=BIG)]
Epoch = Annotated[str, Query(description="the feed's epoch as you know it", max_length=64)]
Wait = Annotated[float, Query(description="seconds to wait for a change when there is none yet", ge=0, le=MAX_WAIT)]
Limit = Annotated[int, Query(description="most lines of an answer; the catalogue may allow fewer", ge=1, le=10_000)]
Year = Annotated[int | None, Query(description="years of publication, inclusive", ge=0, le=9999)]


def router(opened: Pipeline) -> APIRouter:
    """The routes of the API over an open pipeline."""
    made = APIRouter(prefix="/api", tags=["catalogue"])
    _things(made, opened)
    _questions(made, opened)
    _feed(made, opened)
    _about(made, opened)
    return made


def _things(made: APIRouter, opened: Pipeline) -> None:
    """A cluster or a record by its name."""

    @made.get("/clusters/{cluster}", responses=_ok(answers.ClusterAnswer, moved=True))
    def cluster(cluster: Cluster, format: Form = "json") -> Response:
        """A manifestation with its members; 301 to the cluster that took its records, 410 when it is gone."""
        return _answered(lambda: _cluster(opened, cluster, format), f"?format={format}" if format != "json" else "")

    @made.get("/records/{source}/{identifier:path}", responses=_ok(answers.RecordAnswer))
    def record(
        source: Annotated[str, Path(max_length=64)], identifier: Annotated[str, Path(max_length=2000)]
    ) -> Response:
        """One library's record, and the cluster that it stands in."""
        return _answered(lambda: _json(asking.record(opened, _clean(source), _clean(identifier))))


def _questions(made: APIRouter, opened: Pipeline) -> None:
    """Who has it, and what there is."""
    most = opened.settings.web.api_limit

    @made.get("/holdings", responses=_ok(answers.HoldingsAnswer, moved=True))
    def holdings(
        isbn: Annotated[str, Query(description="with or without hyphens", max_length=40)] = "",
        issn: Annotated[str, Query(max_length=40)] = "",
        cluster: Annotated[str, Query(description="a cluster's id instead", max_length=20)] = "",
    ) -> Response:
        """Who has it, with lending policy and as-of date. This is no live availability."""
        given = [(kind, value) for kind, value in (("isbn", isbn), ("issn", issn), ("cluster", cluster)) if value]
        if len(given) != 1:
            return _problem(400, "say one of isbn, issn and cluster")
        return _answered(
            lambda: _json(asking.holdings(opened, given[0][0], _clean(given[0][1]))), path="/api/holdings?cluster="
        )

    @made.get("/search", responses=_ok(answers.SearchAnswer))
    def search(
        q: Annotated[str, Query(description="words that all occur; the last may end in *", max_length=500)],
        material: Annotated[str, Query(max_length=40)] = "",
        partner: Annotated[str, Query(max_length=64)] = "",
        year_from: Year = None,
        year_to: Year = None,
        limit: Limit = 20,
        offset: Annotated[int, Query(ge=0, le=MAX_OFFSET)] = 0,
    ) -> Response:
        """Clusters by title, names, publisher, series, subjects and numbers; old spelling finds new."""
        asked = SearchQuery(_clean(q), _clean(material), _clean(partner), year_from, year_to)
        return _json(asking.find(opened, asked, min(limit, most), offset))


def _feed(made: APIRouter, opened: Pipeline) -> None:
    """What changed, and everything at once for those who begin."""
    most = opened.settings.web.api_limit

    @made.get("/changes", responses=_ok(answers.ChangesAnswer, resync=True))
    async def changes(
        request: Request,
        epoch: Epoch = "",
        since: Since = 0,
        limit: Limit = 1000,
        wait: Wait = 0,
        documents: Annotated[bool, Query(description="with the present documents of the changed clusters")] = False,
        format: Literal["json", "ndjson"] = "json",
    ) -> Response:
        """The feed after a number, whole batches only, so perhaps a little more than `limit`; 410: take the snapshot.

        As NDJSON the first line is the answer without changes and documents; then a line for each of either.
        """
        await _news(opened, request, since, wait)
        found = await run_in_threadpool(asking.feed, opened, _clean(epoch), since, min(limit, most), documents)
        if isinstance(found, answers.ResyncAnswer):
            return _json(found, 410)
        return Response(_lines(found), media_type=NDJSON) if format == "ndjson" else _json(found)

    @made.get("/snapshot", responses={200: {"content": {NDJSON: {}}, "description": "a head, every cluster, an end"}})
    def snapshot() -> Response:
        """The whole catalogue as NDJSON: first its position in the feed, last how many clusters there were.

        503 while the feed is held: the present state is more than what has been released.
        """
        if _is_held(opened):
            return _problem(503, "the feed is held until a person has looked at it")
        return StreamingResponse(_chunks(opened), media_type=NDJSON)


def _about(made: APIRouter, opened: Pipeline) -> None:
    """The libraries, and the description of it all."""

    @made.get("/partners", responses=_ok(list[answers.PartnerLine]))
    def partners() -> Response:
        """The libraries whose records may be seen."""
        return _json(asking.partners(opened))

    @made.get("/openapi.json", include_in_schema=False)
    def openapi() -> Response:
        """This description."""
        return JSONResponse(description(made))


# ---- answers -------------------------------------------------------------------------------------------


def _answered(answer: Callable[[], Response], query: str = "", path: str = "/api/clusters/") -> Response:
    try:
        return answer()
    except asking.Moved as moved:
        return RedirectResponse(f"{path}{moved.target}{query}", 301)
    except asking.Gone as error:
        return _problem(410, error.message)
    except asking.Unknown as error:
        return _problem(404, error.message)
    except UsageError as error:
        return _problem(400, error.message)


def _problem(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status)


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type=JSON)


def _clean(text: str) -> str:
    """*text* as a database takes it."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _cluster(opened: Pipeline, cluster: str, form: Form) -> Response:
    found, partners = asking.document(opened, cluster)
    if form == "json":
        return _json(asking.cluster_answer(found, partner_of(partners)))
    if form == "oai_dc":
        return Response(dublin_core.write(found.union.record), media_type="application/xml")
    marc = write_marc(found.union, found.cluster, Marc(institutions(partners), found.changed, found.linked))
    if form == "marcxml":
        return Response(marcxml_write.write(marc), media_type="application/xml")
    if form == "marc-json":
        return Response(marc_json.write(marc), media_type=JSON)
    return Response(iso2709_write.write(marc), media_type="application/marc")


def _lines(found: answers.ChangesAnswer) -> bytes:
    head = msgspec.structs.replace(found, changes=(), documents=())
    return b"".join(msgspec.json.encode(one) + b"\n" for one in (head, *found.changes, *found.documents))


def _chunks(opened: Pipeline) -> Iterator[bytes]:
    """The lines of a snapshot, some together."""
    chunk = bytearray()
    for one in asking.everything(opened):
        chunk += msgspec.json.encode(one) + b"\n"
        if len(chunk) >= CHUNK:
            yield bytes(chunk)
            chunk.clear()
    yield bytes(chunk)


async def _news(opened: Pipeline, request: Request, since: int, wait: float) -> None:
    """Return when there is a change after *since*, the client has gone, or *wait* seconds are over."""
    until = time.monotonic() + wait
    while wait and time.monotonic() < until:
        if await run_in_threadpool(_released, opened) > since or await request.is_disconnected():
            return
        await sleep(TICK)


def _is_held(opened: Pipeline) -> bool:
    with opened.database.read() as conn:
        state = feed.feed_state(conn)
    return bool(state["held"] and state["seq"] > state["released"])


def _released(opened: Pipeline) -> int:
    with opened.database.read() as conn:
        return int(feed.feed_state(conn)["released"])


# ---- description ---------------------------------------------------------------------------------------

_REFERENCE = "#/components/schemas/{name}"


def _ok(kind: Any, *, moved: bool = False, resync: bool = False) -> dict[int | str, dict[str, Any]]:
    """The answers of a route for the description; schemas are made from the values themselves."""
    schema = msgspec.json.schema_components([kind], ref_template=_REFERENCE)[0][0]
    found: dict[int | str, dict[str, Any]] = {
        200: {"description": "as asked", "content": {JSON: {"schema": schema}}},
        400: {"description": "what was asked cannot be meant"},
        404: {"description": "there is none that may be seen"},
    }
    if moved:
        found |= {301: {"description": "merged into another cluster"}, 410: {"description": "gone"}}
    if resync:
        again = msgspec.json.schema_components([answers.ResyncAnswer], ref_template=_REFERENCE)[0][0]
        found[410] = {"description": "begin again with the snapshot", "content": {JSON: {"schema": again}}}
    return found


def description(made: APIRouter) -> dict[str, Any]:
    """The OpenAPI description of the routes of *made*."""
    found = get_openapi(
        title="Induk",
        version=rule_files.version(),
        summary="A union catalogue",
        description=__doc__,
        routes=made.routes,
    )
    kinds = [one for one in vars(answers).values() if isinstance(one, type) and one.__module__ == answers.__name__]
    _, schemas = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    found.setdefault("components", {}).setdefault("schemas", {}).update(schemas)
    return found
