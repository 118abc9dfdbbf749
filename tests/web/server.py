"""The whole application over a pipeline, on a free port of loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType

import uvicorn

from harvester.pipeline import Pipeline
from harvester.web.serving import application
from tests import canaries

Opener = Callable[[], Pipeline]


class WebServer:
    """Serve: `with WebServer(pipeline) as web: web.url`."""

    def __init__(
        self, pipeline: Pipeline, environ: Mapping[str, str] | None = None, opener: Opener | None = None
    ) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        app = canaries.watching(application(pipeline, environ or {}, opener))
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", ws="none"))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    def __enter__(self) -> WebServer:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            time.sleep(0.01)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.should_exit = True
        self._thread.join(120)
        self._socket.close()
