"""The language of the command line, chosen once a call: help, messages, headings and errors for people.

`--json`, log events, codes in cells, identifiers and exit codes have no language.
"""

from __future__ import annotations

import gettext
import inspect
from collections.abc import Mapping, MutableMapping, Sequence
from copy import copy

import click

from harvester.i18n import DOMAIN, FOLDER, LANGUAGES, N_, sentences, translations

_spoken = ["en"]
_chosen = ["en"]  # by the words and the environment of the call
_open: list[bool] = []  # whether nobody named a language: induk.yaml may


def NN_(one: str, many: str) -> tuple[str, str]:
    """Marks a text with its plural."""
    return one, many


def wished(arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """The language that is asked for: --lang, INDUK_LANG, else the locale; empty where that is none or C."""
    for at, word in enumerate(arguments):
        if word == "--lang" or word.startswith("--lang="):
            given = word.removeprefix("--lang").removeprefix("=") or "".join(arguments[at + 1 : at + 2])
            return given if given in LANGUAGES else "en"
    for name in ("INDUK_LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        names = [one.partition(".")[0].partition("_")[0].lower() for one in environ.get(name, "").split(":")]
        if any(names):
            return "" if names[0] in ("c", "posix") else next((one for one in names if one in LANGUAGES), "en")
    return ""


def begin(arguments: Sequence[str], environ: MutableMapping[str, str]) -> None:
    """Choose the language of this call; click takes its own texts from our catalogue."""
    named = wished(arguments, environ)
    _open[:] = [] if named else [True]
    _chosen[0] = _spoken[0] = named or "en"
    if _chosen[0] != "en":
        environ["LANGUAGE"] = _chosen[0]
        gettext.bindtextdomain(DOMAIN, str(FOLDER))
        gettext.textdomain(DOMAIN)


def speak(language: str | None) -> None:
    """Say everything in *language* from now on; None: in the one that was chosen."""
    _spoken[0] = language or _chosen[0]


def settle(language: str) -> None:
    """Take the `language` of induk.yaml, where neither a person nor the locale named one."""
    if _open:
        speak(language)


def spoken() -> str:
    """The language of this call."""
    return _spoken[0]


def _(text: str, /, **values: object) -> str:
    """*text* in the language of this call, with its {holes} filled."""
    said = translations(_spoken[0]).gettext(text)
    return said.format(**values) if values else said


def told(sentence: object) -> str:
    """Sentences made in English, such as an error or the reason of a run, in the language of this call; on one line."""
    lines = [line.strip() for line in str(sentence).splitlines()]
    return " ".join(sentences(_spoken[0])(line) for line in lines if line)


def say(code: str, kind: str = "") -> str:
    """What the pages call a verdict or feature, or an outcome (*kind* tells it from a feature); in English the code."""
    from harvester.web.words import sayer

    return code if _spoken[0] == "en" else sayer(_, told)(f"{kind} {code}" if kind else code)


def worded(field: str, value: str) -> str:
    """A value of a record, as explanations show it, for a reader: languages by name, the year as printed."""
    from harvester.web import codes

    return codes.worded(field, value, _, say)


def value_of(feature: str, value: str) -> str:
    """What the pages call a compared value, such as that of the material; in English as it is stored."""
    from harvester.web.codes import compared

    return value if _spoken[0] == "en" else compared(feature, value, _, say)


def translate(command: click.Command) -> click.Command:
    """A copy of *command*, and of what is below it, with its help in the language of this call."""
    if _spoken[0] == "en":
        return command
    made = copy(command)
    made.params = [copy(one) for one in command.params]
    for parameter in made.params:
        if isinstance(parameter, click.Option) and parameter.help:
            parameter.help = _(parameter.help)
    made.help = command.help and _(inspect.cleandoc(command.help))
    if isinstance(made, click.Group):
        made.commands = {name: translate(below) for name, below in made.commands.items()}
    return made


# what the system, its databases and YAML say in English
SYSTEM = (
    N_("No such file or directory"),
    N_("Permission denied"),
    N_("Is a directory"),
    N_("Not a directory"),
    N_("No space left on device"),
    N_("Connection refused"),
    N_("Name or service not known"),
    N_("Temporary failure in name resolution"),
    N_("Network is unreachable"),
    N_("No route to host"),
    N_("[Errno {1}] Connection refused"),
    N_("[Errno {1}] Name or service not known"),
    N_("[Errno {1}] Temporary failure in name resolution"),
    N_("[Errno {1}] Network is unreachable"),
    N_("[Errno {1}] No route to host"),
    N_("timed out"),
    N_("unable to open database file"),
    N_("file is not a database"),
    N_("database disk image is malformed"),
    N_("database or disk is full"),
    N_("decision {1} ({2} by {3}, {4})"),  # db.links.Decided.sentence
    N_("database is locked"),
    N_("attempt to write a readonly database"),
    N_("no such table: {1}"),
    N_("connection failed: {1}"),
    N_('connection to server at "{1}", port {2} failed: {3}'),
    N_("connection to server on socket {1} failed: {2}"),
    N_("Is the server running on that host and accepting TCP/IP connections?"),
    N_("Is the server running locally and accepting connections on that socket?"),
    N_('FATAL:  password authentication failed for user "{1}"'),
    N_('FATAL:  database "{1}" does not exist'),
    N_('FATAL:  role "{1}" does not exist'),
    N_("mapping values are not allowed in this context"),
    N_("could not find expected ':'"),
    N_("did not find expected key"),
    N_("did not find expected '-' indicator"),
    N_("did not find expected ',' or ']'"),
    N_("did not find expected ',' or '}'"),
    N_("found character that cannot start any token"),
    N_("found unexpected end of stream"),
    N_("found undefined alias"),
)
# click's own texts, as far as a person meets them here
CLICK = (
    N_("Usage:"),
    N_("Options"),
    N_("Commands"),
    N_("Positional arguments"),
    N_("required"),
    N_("default: {default}"),
    N_("env var: {var}"),
    N_("Show the version and exit."),
    N_("Show this message and exit."),
    N_("%(prog)s, version %(version)s"),
    N_("Aborted!"),
    N_("Error: {message}"),
    N_("Try '{command} {option}' for help."),
    N_("Invalid value: {message}"),
    N_("Invalid value for {param_hint}: {message}"),
    N_("Missing command."),
    N_("Missing argument"),
    N_("Missing option"),
    N_("Missing parameter"),
    N_("Missing parameter: {param_name}"),
    N_("No such option {name!r}."),
    N_("No such command {name!r}."),
    N_("Could not open file {filename!r}: {message}"),
    N_("Argument {name!r} takes {nargs} values."),
    N_("Option {name!r} does not take a value."),
    N_("Repeat for confirmation"),
    N_("Error: The two entered values do not match."),
    N_("Error: invalid input"),
    N_("Choose from:\n\t{choices}"),
    N_("{value!r} is not a valid {number_type}."),
    N_("{value} is not in the range {range}."),
    N_("file"),
    N_("directory"),
    N_("path"),
    N_("{name} {filename!r} does not exist."),
    N_("{name} {filename!r} is a file."),
    N_("{name} {filename!r} is a directory."),
    N_("{name} {filename!r} is not readable."),
    N_("{name} {filename!r} is not writable."),
    NN_("Got unexpected extra argument ({args})", "Got unexpected extra arguments ({args})"),
    NN_("Takes {nargs} values but 1 was given.", "Takes {nargs} values but {len} were given."),
    NN_("Did you mean {possibility}?", "(Did you mean one of: {possibilities}?)"),
    NN_("Option {name!r} requires an argument.", "Option {name!r} requires {nargs} arguments."),
    NN_("{value!r} is not {choice}.", "{value!r} is not one of {choices}."),
)
