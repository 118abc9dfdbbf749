"""induk serve"""

from __future__ import annotations

import os
import socket
from contextlib import closing

import click

from harvester.cli._speech import _
from harvester.cli.common import Shell, common, open_pipeline, opened
from harvester.errors import ConfigError


@click.command("serve")
@click.option("--host", help="Address to listen on, instead of web.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on, instead of web.port; 0 is a free one.")
@common
def command(shell: Shell, host: str | None, port: int | None) -> None:
    """Serve pages, HTTP API (/api) and the OAI-PMH provider (/oai) until stopped."""
    try:
        import uvicorn

        from harvester.web.serving import application
    except ImportError as error:
        raise ConfigError(
            f"the web part is not installed: {error.name}", hint="from the checkout: pip install '.[web]'"
        ) from error
    pipeline = open_pipeline(shell)
    web = pipeline.settings.web
    host, port = host or web.host, web.port if port is None else port
    with closing(pipeline.database):
        app = application(pipeline, os.environ, lambda: opened(shell))
        if shell.dry_run:
            shell.say(_("would listen on {address}", address=f"{host}:{port}"))
            return
        with closing(_listening(host, port)) as listener:
            shell.say(_("serving at {address}, until stopped", address=_address(listener)))
            config = uvicorn.Config(
                app,
                log_level="info" if shell.verbose else "warning",
                access_log=bool(shell.verbose),
                server_header=False,
                timeout_keep_alive=20,
            )
            uvicorn.Server(config).run([listener])


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        ConfigError: it cannot: another program does, or the machine has no such address.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror}", hint="`--port` or `web.port` choose another"
        ) from error


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
