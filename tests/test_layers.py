"""Arrows between our modules point one way, and importing defines and registers only."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
BASE = {
    "model",
    "errors",
    "text",
    "identifiers",
    "clock",
    "faultpoint",
    "i18n",
    "redact",
    "secret",
    "yaml_file",
    "schedule",
}
STAGES = {"sources", "normalize", "match", "merge", "outputs", "reports"}
TOP = {"cli", "web", "__main__"}
# What a layer may import, besides itself. `pipeline` stands for pipeline.py and the modules that it is made of.
ALLOWED = {
    "base": {"base"},
    "registry": {"base"},
    "settings": {"base", "registry"},
    "formats": {"base", "registry"},
    "stage": {"base", "registry", "formats"},
    "demo": {"base", "registry", "formats"},
    "db": {"base"},
    "pipeline": {"base", "registry", "formats", "stage", "settings", "db", "pipeline"},
    "top": {"base", "registry", "formats", "stage", "settings", "db", "pipeline", "demo", "top"},
}


def layer(module: str) -> tuple[str, str]:
    """(layer, area) of a dotted module of ours."""
    parts = module.split(".")
    if parts[0] in ("db", "mappings"):
        return "db" if parts[0] == "db" else "base", parts[0]
    area = parts[1] if len(parts) > 1 else "harvester"
    if area in BASE or area == "harvester":
        return "base", area
    if area == "registry":
        return "registry", area
    if area.startswith("settings"):
        return "settings", "settings"
    if area in STAGES:
        return "stage", area
    if area in ("formats", "demo"):
        return area, area
    return ("top", area) if area in TOP else ("pipeline", "pipeline")


@cache
def modules() -> dict[str, ast.Module]:
    """Read by the first test that asks, not by every process that only collects."""
    found = {}
    for package in ("harvester", "db"):
        for path in (ROOT / package).rglob("*.py"):
            if "versions" in path.parts or path.name == "env.py":
                continue
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imports(tree: ast.Module, known: dict[str, ast.Module]) -> set[str]:
    """Our modules that *tree* imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                names.add(full if full in known else node.module)
    return {name for name in names if name.split(".")[0] in ("harvester", "db", "mappings")}


def test_a_module_imports_only_from_below() -> None:
    wrong = []
    for name, tree in modules().items():
        mine, area = layer(name)
        for other in sorted(imports(tree, modules())):
            theirs, their_area = layer(other)
            if area != their_area and theirs not in ALLOWED[mine]:
                wrong.append(f"{name} ({mine}) imports {other} ({theirs})")
    assert wrong == []


def test_only_db_runs_sql_and_no_stage_sees_it() -> None:
    for name, tree in modules().items():
        mine, _ = layer(name)
        if mine in ("db", "pipeline", "top", "settings"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                assert not node.module.startswith("sqlalchemy"), f"{name} imports {node.module}"


def test_there_is_no_import_cycle() -> None:
    graph = {name: imports(tree, modules()) & modules().keys() for name, tree in modules().items()}
    # a package's __init__ is imported with each of its modules, but it is no cycle to import a sibling through it
    top_level = {name: {other for other in top_imports(modules()[name]) if other in graph} for name in graph}
    state: dict[str, int] = {}

    def visit(name: str, path: list[str]) -> None:
        state[name] = 1
        for other in sorted(top_level[name]):
            if state.get(other) == 1 and other != name:
                raise AssertionError(" → ".join([*path, name, other]))
            if other not in state:
                visit(other, [*path, name])
        state[name] = 2

    for name in sorted(graph):
        if name not in state:
            visit(name, [])


def top_imports(tree: ast.Module) -> set[str]:
    """What is imported when the module is: not inside functions."""
    outer = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
    return imports(outer, modules())


def test_importing_a_module_does_nothing_but_define_and_register() -> None:
    quiet = (
        ast.Import,
        ast.ImportFrom,
        ast.FunctionDef,
        ast.AsyncFunctionDef,
        ast.ClassDef,
        ast.Assign,
        ast.AnnAssign,
        ast.AugAssign,
    )
    control = (ast.If, ast.For, ast.Expr, ast.With, ast.Delete, ast.Try)
    for name, tree in modules().items():
        if name == "harvester.__main__":  # python -m harvester: to run is what it is for
            continue
        for node in tree.body:
            assert isinstance(node, (*quiet, *control)), f"{name}:{node.lineno}"
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                call = ast.unparse(node.value.func)
                assert not call.startswith(("print", "open")), f"{name}:{node.lineno} runs {call}"


def test_a_worker_process_loads_no_database() -> None:
    asked = "import sys, harvester.workers; print(*{'sqlalchemy', 'alembic', 'pymarc'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
