"""Around every answer: the headers that keep a browser from doing what a record says, and a bound on what is sent."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 32 * 1024 * 1024
HEADERS = {
    # no inline script or style anywhere, nothing from outside, no frame around us
    "content-security-policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class _TooLarge(Exception):
    """More came than is taken."""


class Protect:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = {"read": 0, "started": False}

        async def bounded() -> Message:
            message = await receive()
            state["read"] += len(message.get("body", b""))
            if state["read"] > MAX_BODY:
                raise _TooLarge
            return message

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                state["started"] = True
                message["headers"] = with_headers(message.get("headers", []), scope["path"])
            await send(message)

        try:
            await self.app(scope, bounded, guarded)
        except _TooLarge:
            if not state["started"]:
                await guarded({"type": "http.response.start", "status": 413, "headers": []})
                await send({"type": "http.response.body", "body": b"too large"})


def with_headers(given: list[tuple[bytes, bytes]], path: str) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, with ours added where it does not set them itself."""
    there = {name.lower() for name, _ in given}
    added = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in there]
    if b"cache-control" not in there:
        kept = b"public, max-age=3600" if path.startswith("/static/") else b"no-store"
        added.append((b"cache-control", kept))
    return [*given, *added]
