"""What is installed and how it is started: wheel and sdist hold what they should, unit files name what exists."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from harvester.cli import induk
from tests.test_docs import walk

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMMANDS = {name.removeprefix("induk ") for name, _ in walk(induk, ("induk",))}
UNITS = sorted(DEPLOY.glob("*.service"))
KINDS = {".py", ".yaml", ".yml", ".md", ".html", ".css", ".js", ".svg", ".mo", ".po", ".csv", ".xml", ".mako", ".typed"}
KINDS |= {".txt", ".json"}

BUILD = """
import sys
from setuptools import build_meta
folder = sys.argv[1]  # setuptools puts its own arguments there
build_meta.build_wheel(folder)
build_meta.build_sdist(folder)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[str]]:
    """The names in a wheel and in an sdist, built from what is committed, among things that must stay out."""
    folder, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for stray in ("induk.yaml", "induk.db", ".env", "partners.d/ugm.yaml", "harvester/.env", "harvester/secret.key"):
        (folder / stray).parent.mkdir(exist_ok=True)
        (folder / stray).write_text("stray")
    subprocess.run([sys.executable, "-c", BUILD, str(made)], cwd=folder, check=True, capture_output=True)
    with zipfile.ZipFile(next(made.glob("*.whl"))) as wheel, tarfile.open(next(made.glob("*.tar.gz"))) as sdist:
        return wheel.namelist(), [one.name.partition("/")[2] for one in sdist.getmembers() if one.isfile()]


@pytest.mark.slow
def test_z152_the_wheel_holds_our_packages_and_nothing_else(built: tuple[list[str], list[str]]) -> None:
    wheel, _ = built
    own = [name for name in wheel if ".dist-info/" not in name]
    assert {name.partition("/")[0] for name in own} == {"harvester", "mappings", "db"}
    assert [name for name in own if Path(name).suffix not in KINDS] == []
    assert [name for name in own if "/tests/" in name or Path(name).name.startswith(".")] == []
    committed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=True, text=True).stdout.split()
    wanted = [
        name for name in committed if re.match(r"(harvester|db|mappings)/.*\.(py|yaml|html|css|js|mo|mako)$", name)
    ]
    assert sorted(set(wanted) - set(own)) == []  # everything that is needed at run time is there


@pytest.mark.slow
def test_z152_the_sdist_holds_no_configuration_database_or_secret(built: tuple[list[str], list[str]]) -> None:
    _, sdist = built
    stray = [name for name in sdist if name.endswith((".db", ".env", ".key")) or name.startswith("partners.d")]
    assert stray == []
    assert "induk.yaml" not in sdist


def test_z152_a_plain_archive_of_the_folder_takes_the_secrets_along(tmp_path: Path) -> None:
    (tmp_path / "induk").mkdir()
    (tmp_path / "induk" / ".env").write_text("stray")
    packed = shutil.make_archive(str(tmp_path / "plain"), "gztar", tmp_path, "induk")
    with tarfile.open(packed) as made:
        assert "induk/.env" in made.getnames()


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_command_that_exists_and_is_hardened(path: Path) -> None:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment]
    parser.read_string(path.read_text(encoding="utf-8"))
    service = parser["Service"]
    words = re.sub(r"^/opt/induk/bin/induk ", "", service["ExecStart"]).split(" --")[0]
    assert words in COMMANDS
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "RestrictSUIDSGID", "LockPersonality"):
        assert service[name] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["User"] != "root"
    assert int(service["TimeoutStopSec"]) > 10  # we end within ten seconds of a signal


def test_every_timer_has_its_service() -> None:
    for timer in DEPLOY.glob("*.timer"):
        assert timer.with_suffix(".service").is_file()


def test_cron_lines_name_commands_that_exist() -> None:
    text = (DEPLOY / "crontab").read_text(encoding="utf-8")
    for found in re.findall(r"/opt/induk/bin/induk ([a-z ]+?)(?= --| *&&|$)", text, re.MULTILINE):
        assert found.strip() in COMMANDS, found


def test_compose_waits_for_the_database_and_runs_nothing_as_root_or_in_the_open() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    services = compose["services"]
    assert set(services) == {"database", "upgrade", "scheduler", "web"}
    for name in ("upgrade", "scheduler", "web"):
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["read_only"] is True
        words = [word for word in services[name].get("command", ["serve"]) if not word.startswith("-")]
        assert " ".join(words) in COMMANDS
    assert services["web"]["ports"] == ["127.0.0.1:8585:8585"]
    assert "ports" not in services["database"]
    for secret in (one for service in services.values() for one in service.get("secrets", ())):
        assert secret in compose["secrets"]
    image = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER \d+$", image, re.MULTILINE)
    assert "HEALTHCHECK" in image
