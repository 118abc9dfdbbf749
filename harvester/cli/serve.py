"""induk serve"""

from __future__ import annotations

import os
from contextlib import closing

import click

from harvester.cli._speech import _
from harvester.cli.common import Shell, common, open_pipeline
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
        raise ConfigError(f"the web part is not installed: {error.name}", hint="pip install 'induk[web]'") from error
    pipeline = open_pipeline(shell)
    web = pipeline.settings.web
    with closing(pipeline.database):
        app = application(pipeline, os.environ)
        if shell.dry_run:
            shell.say(
                _("would listen on {address}", address=f"{host or web.host}:{web.port if port is None else port}")
            )
            return
        uvicorn.run(
            app,
            host=host or web.host,
            port=web.port if port is None else port,
            log_level="info" if shell.verbose else "warning",
            access_log=bool(shell.verbose),
            server_header=False,
            timeout_keep_alive=20,
        )
