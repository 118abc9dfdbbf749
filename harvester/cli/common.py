"""What every command shares: the common options, opening the pipeline, printing, exit codes."""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from harvester.cli._speech import _, settle, speak, spoken, told
from harvester.errors import ConfigError, IndukError
from harvester.i18n import LANGUAGES

F = TypeVar("F", bound=Callable[..., Any])
# SIGINT and SIGTERM set it; long work asks it between two pages or batches.
stopping = threading.Event()
_signal: list[int] = []
SENTENCES = {"reason", "message", "why", "remarks", "found", "check", "contradiction", "failure"}  # columns of a table
STOP_SECONDS = 9.0  # after a signal; what is not committed by then is rolled back


class Shell(NamedTuple):
    """The common options of one call, and how it speaks."""

    config: Path | None
    json: bool
    quiet: bool
    verbose: int
    no_input: bool
    yes: bool
    dry_run: bool

    def say(self, text: str = "") -> None:
        """Print for people; nothing with --json or --quiet."""
        if not (self.json or self.quiet):
            click.echo(text)

    def note(self, text: str) -> None:
        """Print on standard error; nothing with --quiet."""
        if not self.quiet:
            click.echo(text, err=True)

    @property
    def lang(self) -> str:
        """The language of this call; what --json prints is the same in each."""
        return "en" if self.json else spoken()

    def emit(self, data: Any, show: Callable[[], None]) -> None:
        """*data* as one JSON value with --json, else what *show* prints."""
        if self.json:
            click.echo(json.dumps(plain(data), ensure_ascii=False, sort_keys=True))
        elif not self.quiet:
            show()

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """A table: with rules on a terminal, tab-separated elsewhere. Control characters never reach a terminal.

        *heads*, and the cells below those of SENTENCES, are said in the language of the call; codes stay codes.
        """
        if self.json or self.quiet:
            return
        said = [told if head in SENTENCES else str for head in heads]
        texts = [
            ["" if cell is None else clean(say(cell)) for say, cell in zip(said, row, strict=True)] for row in rows
        ]
        heads = [head and _(head) for head in heads]
        if not sys.stdout.isatty():
            for row in [heads, *texts]:
                click.echo("\t".join(row))
            return
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        made = Table(box=None, header_style="bold", pad_edge=False)
        for head in heads:
            made.add_column(head, overflow="fold")
        for row in texts:
            made.add_row(*(Text(cell) for cell in row))
        Console().print(made)

    def confirm(self, question: str) -> None:
        """Ask before something is changed; --yes answers, --no-input refuses."""
        if self.yes:
            return
        if self.no_input or not sys.stdin.isatty():
            raise ConfigError(question, hint="say --yes to do it without being asked")
        click.confirm(question, abort=True)


def whoami() -> str:
    """Who decides on this command line: INDUK_USER, else the name of the system's account, if it has one."""
    import getpass

    try:
        return os.environ.get("INDUK_USER", "") or getpass.getuser()
    except (OSError, KeyError):  # a container without a passwd entry
        return ""


def clean(text: str) -> str:
    """*text* without control characters: a record must not move the cursor of a terminal."""
    return "".join(char if char.isprintable() or char == " " else "\N{REPLACEMENT CHARACTER}" for char in text)


def plain(value: Any) -> Any:
    """*value* as JSON can carry it."""
    import msgspec

    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value)
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    return value


def common(function: F) -> F:
    """Give a command the common options; it gets them as its first argument, a Shell."""

    @click.option("--config", type=click.Path(path_type=Path), envvar="INDUK_CONFIG", help="The induk.yaml to use.")
    @click.option("--lang", type=click.Choice(LANGUAGES), envvar="INDUK_LANG", help="Language of messages.")
    @click.option("--json", "as_json", is_flag=True, help="One JSON value on standard output.")
    @click.option("--quiet", "-q", is_flag=True, help="Print errors only.")
    @click.option("--verbose", "-v", count=True, help="Log more (-v events, -vv debug).")
    @click.option("--no-input", is_flag=True, help="Never ask; refuse instead.")
    @click.option("--yes", is_flag=True, help="Answer questions with yes.")
    @click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
    @functools.wraps(function)
    def wrapped(
        config: Path | None,
        lang: str | None,
        as_json: bool,
        quiet: bool,
        verbose: int,
        no_input: bool,
        yes: bool,
        dry_run: bool,
        **rest: Any,
    ) -> Any:
        speak(lang)
        shell = Shell(config, as_json, quiet, verbose, no_input, yes, dry_run)
        return function(shell, **rest)

    return wrapped  # type: ignore[return-value]


# ---- opening -----------------------------------------------------------------------------------------


def settings_of(shell: Shell) -> Any:
    """The settings, every mistake in them at once."""
    from harvester import settings
    from harvester.outputs import outputs
    from harvester.sources import sources

    found = settings.load(
        shell.config,
        environ=os.environ,
        presets=preset_names(),
        protocols=tuple(sources.names()),
        outputs=tuple(outputs.names()),
    )
    settle(found.language)
    return found


def preset_names() -> tuple[str, ...]:
    """The presets that ship with Induk."""
    import mappings

    folder = Path(str(mappings.__file__)).with_name("presets")
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))


def open_pipeline(shell: Shell) -> Any:
    """The pipeline over the configured database; signals stop it between two pages or batches."""
    listen()
    return opened(shell)


def opened(shell: Shell) -> Any:
    """The same without a word about signals: for a server that opens it anew while it runs."""
    from harvester import pipeline
    from harvester.clock import SystemClock

    settings = settings_of(shell)
    return pipeline.open_pipeline(
        settings, os.environ, SystemClock(), cancel=stopping.is_set, log=logger(shell, settings)
    )


def open_database(shell: Shell) -> Any:
    """The configured database, without the gate of its version."""
    from db.engine import Database

    return Database(settings_of(shell).database_url(os.environ))


def logger(shell: Shell, settings: Any) -> Callable[..., None]:
    """What the pipeline logs with, on standard error: failures always, events with -v, everything with -vv."""
    from harvester import log

    level = ("error", settings.log.level, "debug")[min(shell.verbose, 2)]
    return log.make(level, settings.log.format, log.secrets_of(settings, os.environ))


def listen() -> None:
    """Stop between two pages or batches when asked to; a terminal that is closed asks too."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _stop)


def _stop(number: int, _frame: Any) -> None:
    if stopping.is_set():  # asked twice: the transaction rolls back, the checkpoint stands
        os._exit(128 + number)
    _signal[:] = [number]
    stopping.set()
    # a server that drips its answer must not keep us: containers are killed after ten seconds
    last = threading.Timer(STOP_SECONDS, os._exit, (128 + number,))
    last.daemon = True
    last.start()


# ---- exit codes --------------------------------------------------------------------------------------


def guarded(call: Callable[[], Any]) -> int:
    """Run *call*; every error of ours becomes a message and its exit code."""
    try:
        result = call()
    except click.exceptions.Abort:
        click.echo(_("stopped"), err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return 2 if isinstance(error, click.UsageError) else error.exit_code
    except click.exceptions.Exit as error:
        return error.exit_code
    except ConfigError as error:
        for problem in error.problems:
            click.echo(clean(told(problem)), err=True)
        summary = str(error).partition("\n")[0]  # some are all problems in a row: those stand above
        if len(error.problems) > 1 and not any(problem in summary for problem in error.problems):
            click.echo(clean(told(summary)), err=True)
        return error.exit_code
    except IndukError as error:
        click.echo(clean(told(error)), err=True)
        return error.exit_code
    except Exception as error:
        if not _of_the_database(error):
            raise
        trouble = " ".join(str(getattr(error, "orig", error)).split())
        click.echo(clean(_("the database: {trouble}", trouble=told(trouble))), err=True)
        return 4 if "malformed" in trouble or "checksum" in trouble else 1
    if _signal:
        return 128 + _signal[0]
    return result if isinstance(result, int) else 0


def _of_the_database(error: Exception) -> bool:
    """Disk full, or a server that is away for longer than is waited for: what was committed stands, the rest not."""
    known = sys.modules.get("sqlalchemy.exc")  # not imported for --help
    return known is not None and isinstance(error, known.DBAPIError)


def worst(codes: Iterable[int]) -> int:
    """The exit code of several results: 4 > 3 > 1 > 0; 75 only if nothing ran."""
    found = list(codes)
    for code in (4, 3, 1):
        if code in found:
            return code
    return 75 if found and all(code == 75 for code in found) else 0
