"""Settings and partner files: every mistake at once with its line, secrets never shown, documentation that is true."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from harvester import settings
from harvester.errors import ConfigError
from harvester.model import Partner, Policy, Source
from harvester.secret import Secret

FOUR_LINES = """\
code: ugm
name: {id: Perpustakaan UGM, en: UGM Library}
source: {protocol: oai-pmh, url: "https://lib.example.ac.id/oai2.php", preset: slims-oai2}
schedule: "0 1 * * *"
"""
PRESETS = ["generic", "slims-oai2", "koha"]
PROTOCOLS = ["oai-pmh", "files", "sru"]


def write(folder: Path, config: str = "", **partners: str) -> Path:
    (folder / "induk.yaml").write_text(config, encoding="utf-8")
    (folder / "partners.d").mkdir(exist_ok=True)
    for code, text in partners.items():
        (folder / "partners.d" / f"{code.replace('_', '-')}.yaml").write_text(text, encoding="utf-8")
    return folder / "induk.yaml"


def load(path: Path, **environ: str) -> settings.Settings:
    return settings.load(path, environ=environ, presets=PRESETS, protocols=PROTOCOLS)


def problems(path: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return caught.value.problems


def test_an_empty_file_means_every_default(tmp_path: Path) -> None:
    loaded = load(write(tmp_path))
    assert loaded.limits.record_kib == 4096
    assert loaded.timezone == "Asia/Jakarta"
    assert loaded.partners == ()
    assert loaded.database_url({}) == f"sqlite:///{tmp_path}/induk.db"


def test_four_lines_make_a_partner_whose_source_has_its_code(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, ugm=FOUR_LINES))
    (partner,) = loaded.partners
    source = Source(
        code="ugm",
        protocol="oai-pmh",
        url="https://lib.example.ac.id/oai2.php",
        preset="slims-oai2",
        schedule="0 1 * * *",
    )
    assert partner == Partner(code="ugm", name_id="Perpustakaan UGM", name_en="UGM Library", sources=(source,))
    assert loaded.partner_of("ugm") == partner


def test_every_mistake_of_every_file_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    config = """\
name: Konsorsium
limits: {record_kib: 0, respone_mib: 3}
language: fr
timezone: Asia/Bandung
database: mysql://admin:rahasia@host/db
"""
    ugm = FOUR_LINES.replace("oai-pmh", "oai-phm").replace("slims-oai2}", "slims-oai}").replace("0 1 * * *", "0 1 * *")
    ui = "code: UI\nsources:\n- {code: a, protocol: files, url: drop}\n- {protocol: files, url: 'https://u:p@host/x'}\n"
    found = problems(write(tmp_path, config, ugm=ugm + "lendig: no\n", ui=ui))
    assert list(found) == [
        "induk.yaml:2: limits.record_kib: input should be greater than or equal to 1",
        "induk.yaml:2: unknown key 'respone_mib' (did you mean response_mib?)",
        "induk.yaml:3: language: 'fr' is not one of 'en' or 'id'",
        "induk.yaml:4: timezone: 'Asia/Bandung' is no time zone (Asia/Jakarta, Asia/Makassar, Asia/Jayapura, UTC …)",
        "induk.yaml:5: database: not an address of a database, such as sqlite:///induk.db or "
        "postgresql+psycopg://host/name",
        "partners.d/ugm.yaml:3: source.protocol: unknown protocol 'oai-phm' (did you mean oai-pmh?)",
        "partners.d/ugm.yaml:3: source.preset: unknown preset 'slims-oai' (did you mean slims-oai2?)",
        "partners.d/ugm.yaml:4: schedule: '0 1 * *' is no cron expression: five fields are needed, "
        'such as "0 1 * * *" for 01:00',
        "partners.d/ugm.yaml:5: unknown key 'lendig' (did you mean lending?)",
        "partners.d/ui.yaml:1: code: 'UI' is no code: small letters a-z, digits and - only, at most 63",
        "partners.d/ui.yaml:4: sources.1.url: an address must not carry a user or password; "
        "write them under credentials: as env:NAME",
        "partners.d/ui.yaml:1: the file of partner 'UI' must be called UI.yaml",
        "partners.d/ui.yaml:4: each of several sources needs a code of its own",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("code: ../../etc\n", "is no code"),
        ("code: a/b\n", "is no code"),
        ("code: ugm\ncode: ugm\n", "stands twice"),
        ("code: ugm\n", "needs either source: or sources:"),
        ("code: ugm\nsource: {url: x}\n", "key 'source.protocol' is missing"),
        ("code: ugm\nsource:\n  - x\n", "source"),
        ("code: ugm\nsource: {protocol: files}\nwindows: '25:00-26:00'\n", "no span of the day"),
        ("code: ugm\nsource: {protocol: files}\nguards: {delete_percent: 200}\n", "less than or equal to 100"),
        ("code: ugm\nsource: {protocol: files}\nname: !!python/object:os.system x\n", "is not accepted"),
        ("- ugm\n", "must be keys and values"),
        ("code: [\n", "is no YAML"),
    ],
)
def test_a_wrong_partner_file_is_refused_with_its_name_and_line(tmp_path: Path, text: str, expected: str) -> None:
    found = problems(write(tmp_path, ugm=text))
    assert any(expected in problem for problem in found)
    assert all(problem.startswith("partners.d/ugm.yaml:") for problem in found)


def test_a_code_names_one_stream_in_the_whole_consortium(tmp_path: Path) -> None:
    several = "code: ui\nsources:\n- {code: ui, protocol: files}\n- {code: ugm, protocol: files}\n"
    found = problems(write(tmp_path, ugm=FOUR_LINES, ui=several))
    assert found == ("partners.d/ui.yaml:4: code 'ugm' is taken already by partners.d/ugm.yaml:1",)


@pytest.mark.parametrize(
    "text", ["0 1 * * *", "*/15 22-23,0-5 * * mon-fri", "30 2 1 jan,jul *", "0 0 * * 7", "5,10 1 * * *"]
)
def test_cron_expressions_are_accepted(tmp_path: Path, text: str) -> None:
    assert load(write(tmp_path, f'schedule: "{text}"')).schedule == text


@pytest.mark.parametrize(
    "text",
    ["60 1 * * *", "0 24 * * *", "0 1 0 * *", "0 1 * 13 *", "0 1 * * 8", "*/0 * * * *", "5-1 * * * *", "a * * * *"],
)
def test_wrong_cron_expressions_are_refused(tmp_path: Path, text: str) -> None:
    assert "is no cron expression" in problems(write(tmp_path, f'schedule: "{text}"'))[0]


def test_a_secret_written_as_itself_is_refused_and_not_repeated(tmp_path: Path) -> None:
    config = "mail: {password: rahasia-sekali}\ndatabase: 'oracle://u:rahasia-sekali@h/d'\n"
    partner = FOUR_LINES + "credentials: {password: rahasia-sekali}\n"
    found = "\n".join(problems(write(tmp_path, config, ugm=partner)))
    assert found.count("never as itself") == 2
    assert "rahasia" not in found


def test_secrets_are_read_late_and_never_shown(tmp_path: Path) -> None:
    partner = FOUR_LINES + "credentials: {user: env:UGM_USER, password: 'file:%s'}\n" % (tmp_path / "kata")
    loaded = load(write(tmp_path, "mail: {password: credential:mail}\n", ugm=partner))
    (tmp_path / "kata").write_text("rahasia-sekali\n")
    (tmp_path / "mail").write_text("kata-mail\n")
    source = settings.reveal(loaded.sources[0], {"UGM_USER": "nama-rahasia"})
    assert dict(source.credentials) == {"user": "nama-rahasia", "password": "rahasia-sekali"}
    assert loaded.mail.password is not None
    assert loaded.mail.password.reveal({"CREDENTIALS_DIRECTORY": str(tmp_path)}) == "kata-mail"
    shown = repr(source) + repr(loaded) + json.dumps(loaded.shown()) + repr(Secret("env:X"))
    assert "rahasia" not in shown
    assert "env:UGM_USER" in shown


@pytest.mark.parametrize("reference", ["env:NOT_THERE", "file:/not/there", "credential:x"])
def test_a_missing_secret_names_its_place(reference: str) -> None:
    with pytest.raises(ConfigError, match=r"NOT_THERE|/not/there|credential:x"):
        Secret(reference).reveal({})


def test_the_environment_names_the_file_and_the_database(tmp_path: Path) -> None:
    path = write(tmp_path, "database: postgresql://induk:rahasia@host/db")
    loaded = settings.load(None, environ={"INDUK_CONFIG": str(path)})
    assert loaded.database_url({}) == "postgresql://induk:rahasia@host/db"
    assert "rahasia" not in json.dumps(loaded.shown()) + repr(loaded) + repr(loaded.database_url({}))
    assert loaded.database_url({"INDUK_DATABASE": "sqlite:////tmp/x.db"}) == "sqlite:////tmp/x.db"
    with pytest.raises(ConfigError, match="INDUK_DATABASE"):
        loaded.database_url({"INDUK_DATABASE": "nonsense"})


def test_a_missing_file_points_to_init(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="induk init"):
        load(tmp_path / "induk.yaml")


def test_a_partner_has_its_own_guards_and_politeness(tmp_path: Path) -> None:
    text = FOUR_LINES + "guards: {delete_percent: 5}\npoliteness: {delay_seconds: 3}\nwindows: 22:00-05:00\n"
    loaded = load(write(tmp_path, "guards: {month_percent: 7}", ugm=text))
    (source,) = loaded.sources
    guards = loaded.guards_of(source)
    assert (guards.delete_percent, guards.month_percent) == (5, 7)
    assert loaded.politeness_of(source).delay_seconds == 3
    assert source.options["windows"] == ["22:00-05:00"]


def test_a_relative_folder_of_files_lies_beside_the_settings(tmp_path: Path) -> None:
    text = "code: sd-1\nsource: {protocol: files, url: drop/sd-1, options: {layout: school-xlsx}}\n"
    (source,) = load(write(tmp_path, sd_1=text)).sources
    assert source.url == str(tmp_path / "drop" / "sd-1")
    assert source.schedule == "0 1 * * *"


def test_a_running_run_keeps_its_settings_when_the_file_is_edited(tmp_path: Path) -> None:
    path = write(tmp_path, ugm=FOUR_LINES)
    before = load(path)
    mark = before.fingerprint()
    assert pickle.loads(pickle.dumps(before)) == before
    write(tmp_path, "timezone: Asia/Makassar", ugm=FOUR_LINES)
    assert before.timezone == "Asia/Jakarta"
    assert before.fingerprint() == mark != load(path).fingerprint()
    with pytest.raises(Exception, match="frozen"):
        before.timezone = "UTC"  # type: ignore[misc]


def test_init_writes_a_file_whose_comments_are_the_defaults(tmp_path: Path) -> None:
    settings.init(tmp_path)
    assert load(tmp_path / "induk.yaml").fingerprint() == load(write(tmp_path)).fingerprint()
    with pytest.raises(ConfigError, match="not overwritten"):
        settings.init(tmp_path)


def test_the_commented_defaults_of_init_are_the_settings_themselves(tmp_path: Path) -> None:
    settings.init(tmp_path)
    text = (tmp_path / "induk.yaml").read_text(encoding="utf-8")
    body = text[text.index("\n\n") :]
    uncommented = "\n".join(line.removeprefix("# ") for line in body.splitlines())
    assert load(write(tmp_path, uncommented)).fingerprint() == load(write(tmp_path)).fingerprint()


def test_partner_add_writes_what_is_read_back(tmp_path: Path) -> None:
    path = write(tmp_path)
    partner = Partner(
        code="unhas",
        name_id="Perpustakaan: Unhas #1",
        name_en="no",
        timezone="Asia/Makassar",
        npp="0012",
        policy=Policy(withheld=("notes",), priority=3),
        sources=(
            Source("unhas", "sru", "https://x.example/sru?a=1#b", "koha", options={"cap": "08"}, schedule="0 3 * * *"),
            Source(
                "unhas-etd", "oai-pmh", "https://x.example/oai", credentials=(("user", "env:U"),), schedule="0 4 * * *"
            ),
        ),
    )
    settings.write_partner(tmp_path, partner)
    assert load(path).partners == (partner,)
    with pytest.raises(ConfigError, match="not overwritten"):
        settings.write_partner(tmp_path, partner)


def test_partner_add_refuses_a_code_that_would_leave_the_folder(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(ConfigError, match="is no code"):
        settings.write_partner(tmp_path, Partner(code="../x", sources=(Source("x", "files"),)))
    assert not (tmp_path / "x.yaml").exists()


def test_every_setting_has_a_default_and_a_sentence() -> None:
    described = list(settings.describe())
    assert len(described) > 40
    assert all(line.text and line.default for line in described)
    assert len({line.name for line in described}) == len(described)


def test_the_documentation_of_settings_is_up_to_date() -> None:
    written = Path(__file__).parents[1] / "docs" / "settings.md"
    assert written.read_text(encoding="utf-8") == settings.document()


def test_the_schema_describes_both_files() -> None:
    schema = settings.schema()
    assert set(schema) == {"induk.yaml", "partners.d/*.yaml"}
    assert "limits" in schema["induk.yaml"]["properties"]
    json.dumps(schema)
