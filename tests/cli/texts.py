"""What the command line says, found by reading it: help, headings of tables, and sentences made by f-strings.

A sentence is a text of two words that stands where a person will meet it: what an error is raised with, what is called
`message`, `hint` or `reason`, what goes to one of SAYING or is put among one of LISTS, what `N_` marks, and every text
of the modules SPEAKING, which make findings. The holes of an f-string are numbered.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

import click

from harvester import errors
from harvester.cli import induk
from harvester.cli._speech import speak

ROOT = Path(__file__).parents[2]
HOLE = "\0"
ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
NAMED = {"message", "hint", "reason"}
SAYING = {"BadCall", "BadPath", "Completeness", "Damage", "DocumentRefused", "Failure", "Ruling", "TooManyTries"}
SAYING |= {"ValueError", "_check", "_close", "_partial", "_settle", "_stop", "_wrong", "blame", "problem", "wrong"}
LISTS = ("problems", "notes", "evidence")  # appended to, or added to
SPEAKING = (
    "deciding_acts",
    "deciding_overruled",
    "deciding_undo",
    "doctor",
    "enlisting",
    "gating",
    "guards",
    "heeding",
)
SPEAKING += ("renormalizing", "resolving", "reviewing_suspects", "scheduling", "settings", "settings_check", "registry")
SPEAKING += ("sources/causes", "sources/probe", "sources/probe_advice", "sources/probe_endpoint", "sources/proof")
SPEAKING += ("sources/probe_measure", "sources/sliced_probe", "match/compare")
PRINTING = {"say", "note", "confirm", "echo", "prompt", "_title"}
TRANSLATING = {"_", "N_", "told", "say"}
# what no person at a terminal meets: the simulated partners, migrations, what goes to the clients of our own servers
ELSEWHERE = ("harvester/demo/", "db/versions/", "harvester/outputs/oai_", "harvester/sources/z3950/ber")
PATTERNS = {"open journal systems|pkp"}  # texts that are no sentences


def helps() -> dict[str, str]:
    """Each help text of the command tree → the command that shows it."""
    found: dict[str, str] = {}
    speak("en")
    for name, command in walk(induk, "induk"):
        texts = [command.help, *(one.help for one in command.params if isinstance(one, click.Option))]
        found |= {inspect.cleandoc(text): name for text in texts if text}
    return found


def walk(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """(full name, command) of *command* and everything below it."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            inner = command.get_command(context, below)
            assert inner is not None
            yield from walk(inner, f"{name} {below}")


@cache
def files(*packages: str) -> list[tuple[str, ast.Module]]:
    """(path from the root, tree) of every module that a person may hear of."""
    found = []
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(ELSEWHERE):
                found.append((name, ast.parse(path.read_text(encoding="utf-8"))))
    return found


def heads() -> dict[str, str]:
    """Each heading of a table, and each word of a list called `heads` or `names` → its file."""
    found: dict[str, str] = {}
    for file, tree in files("harvester/cli"):
        for node in ast.walk(tree):
            listed: list[ast.expr] = []
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "table":
                listed = node.args[:1]
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                listed = [node.value] if node.targets[0].id in ("heads", "names") else []
            for one in listed:
                if isinstance(one, ast.List | ast.Tuple):
                    inner = [part.value if isinstance(part, ast.Starred) else part for part in one.elts]
                    parts = [part for each in inner for part in getattr(each, "elts", [each])]
                    texts = [part.value for part in parts if isinstance(part, ast.Constant)]
                    found |= {text: file for text in texts if isinstance(text, str) and text}
    return found


def marked() -> dict[str, str]:
    """Each text that the command line marks, also inside an f-string, where babel does not look → its file."""
    found: dict[str, str] = {}
    for file, tree in files("harvester/cli"):
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id="_" | "N_"), args=[ast.Constant(value=str(text))]):
                    found[text] = file
    return found


def bare() -> list[str]:
    """What is printed for people without being marked, as `file:line text`."""
    found = []
    for file, tree in files("harvester/cli"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in PRINTING:
                found += [f"{file}:{text.lineno} {text.value}" for one in node.args[:1] for text in unmarked(one)]
    return found


def unmarked(node: ast.AST) -> Iterator[ast.Constant]:
    """The words below *node* that no call translates."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in TRANSLATING:
        return
    if isinstance(node, ast.Subscript):
        yield from unmarked(node.value)  # what stands in brackets is a key
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search("[A-Za-z]{2}", node.value):
        yield node
    elif isinstance(node, ast.FormattedValue):
        yield from unmarked(node.value)
    else:
        for below in ast.iter_child_nodes(node):
            yield from unmarked(below)


def sentences() -> dict[str, str]:
    """Each sentence that is made in English and said in the reader's language later → its file."""
    found: dict[str, str] = {}
    for file, tree in files("harvester", "db"):
        speaking = file.removeprefix("harvester/").removesuffix(".py") in SPEAKING
        for place in [*_places(tree), *(_texts(tree) if speaking else ())]:
            for line in [line for text in templates(place) for line in text.split("\n")]:
                if telling(line):
                    found.setdefault(numbered(line), file)
    return found


def _places(tree: ast.Module) -> Iterator[ast.expr]:
    """The expressions that hold a sentence by where they stand."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in NAMED:
            yield node.value
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        holder = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        if name in ERRORS:
            yield from node.args[:1]
        elif name == "N_":
            yield from (one for one in node.args if isinstance(one, ast.JoinedStr))  # plain ones: babel finds them
        elif name in SAYING or (name in ("add", "append") and holder.endswith(LISTS)):
            yield from node.args
        yield from (one.value for one in node.keywords if one.arg in NAMED)


def _texts(tree: ast.Module) -> Iterator[ast.expr]:
    """Every text of a module but its docstrings; also those in the holes of another."""
    fixed = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    fixed |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr | ast.Constant) and id(node) not in fixed:
            yield node


def templates(node: ast.expr) -> list[str]:
    """The texts that *node* may become, with HOLE for what is not fixed."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            return ["".join(str(part.value) if isinstance(part, ast.Constant) else HOLE for part in parts)]
        case ast.IfExp(body=first, orelse=second):
            return [*templates(first), *templates(second)]
        case ast.BoolOp(values=values):
            return [text for value in values for text in templates(value)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return [first + second for first, second in product(templates(left), templates(right))]
        case ast.Subscript(value=value):
            return templates(value)
        case ast.Call(func=ast.Attribute(value=value, attr="strip" | "rstrip")):
            return templates(value)
        case ast.Call(func=ast.Name(id="N_"), args=[first]):
            return templates(first)
    return [HOLE]


def telling(text: str) -> bool:
    """Whether there is something to translate in it: two words, or one of four letters beside a hole."""
    if text in PATTERNS:
        return False
    fixed = text.replace(HOLE, " ")
    return " " in text.strip() and len(re.sub("[^A-Za-z]", "", fixed)) > 3


def numbered(text: str) -> str:
    parts = text.split(HOLE)
    return "".join(part + (f"{{{number}}}" if number < len(parts) else "") for number, part in enumerate(parts, 1))
