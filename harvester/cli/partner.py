"""induk partner"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harvester.cli._speech import _, say, told
from harvester.cli.common import Shell, common, open_pipeline, settings_of, whoami
from harvester.errors import ConfigError
from harvester.i18n import N_


@click.group("partner")
def command() -> None:
    """Partners: add, measure, look at a sample, pause, rekey, retire."""


@command.command()
@click.argument("code")
@click.argument("url")
@click.option("--protocol", default="oai-pmh", show_default=True, help="oai-pmh, sru, z3950 or files.")
@click.option("--preset", default="", help="The partner's software, when it is not to be guessed.")
@click.option("--name-id", default="", help="Name in Indonesian.")
@click.option("--name-en", default="", help="Name in English.")
@click.option("--internal", is_flag=True, help="The address may lie in a private network.")
@click.option("--no-probe", is_flag=True, help="Do not ask the server anything.")
@common
def add(
    shell: Shell,
    code: str,
    url: str,
    protocol: str,
    preset: str,
    name_id: str,
    name_en: str,
    internal: bool,
    no_probe: bool,
) -> None:
    """Measure the server at URL, write partners.d/CODE.yaml, and let it wait as pending until `partner resume`."""
    from harvester import enlisting, probing, settings
    from harvester.model import Partner, Source

    known = settings_of(shell)
    profile = None
    if protocol in probing.PROBES and not no_probe:
        profile = probing.probe_url(known, url, protocol=protocol, internal=internal, code=code)
        _show_profile(shell, profile)
        url, preset = profile.url, preset or profile.preset
    preset = preset or "generic"
    rule = enlisting.identifier_rule(protocol, preset, settings.mapping_folders(known.folder))
    source = Source(code=code, protocol=protocol, url=url, preset=preset, internal=internal, identifier_rule=rule)
    made = Partner(code=code, name_id=name_id or code, name_en=name_en or name_id or code, sources=(source,))
    if shell.dry_run:
        shell.emit(
            {"source": source, "profile": profile},
            lambda: shell.say(_("would write partners.d/{code}.yaml", code=code)),
        )
        return
    path = settings.write_partner(known.folder, made)
    settings_of(shell)
    _wait(shell, code, profile)
    text = _(
        "{path} written, {code} is pending. Look: induk partner sample {code}; then: induk partner resume {code}",
        path=path,
        code=code,
    )
    shell.emit({"written": str(path), "profile": profile}, lambda: shell.say(text))


def _wait(shell: Shell, code: str, profile: Any) -> None:
    """Make a new partner pending and keep its profile; without a database there is nothing to keep it in yet."""
    from harvester import controlling, probing

    try:
        opened = open_pipeline(shell)
    except ConfigError as error:
        shell.note(_("{code} will be active once there is a database: {error}", code=code, error=told(error)))
        return
    controlling.make_pending(opened, code)
    if profile is not None:
        probing.keep(opened, code, profile)


@command.command("list")
@common
def list_partners(shell: Shell) -> None:
    """Every partner with its status, records and last run."""
    from harvester import inspecting

    rows = inspecting.partners(open_pipeline(shell))
    heads = ["code", "status", "records", "clusters", "quarantined", "last_run", "verdict"]
    shell.emit(rows, lambda: shell.table(heads, [[row[head] for head in heads] for row in rows]))


@command.command()
@click.argument("code")
@common
def show(shell: Shell, code: str) -> None:
    """One partner: policy, sources, how they are followed, drift, windows, last runs."""
    from harvester import inspecting

    answer = inspecting.partner(open_pipeline(shell), code)
    shell.emit(answer, lambda: _show(shell, answer))


def _show(shell: Shell, answer: dict[str, Any]) -> None:
    first, second = ("id", "en") if shell.lang == "id" else ("en", "id")
    name = answer["name"][first] or answer["name"][second]
    shell.say(f"{answer['code']}: {name}, {answer['status']}")
    policy = [[say(name), _answer(value)] for name, value in answer["policy"].items()]
    shell.table(["policy", "value"], policy)
    heads = ["code", "protocol", "url", "preset", "records", "windows", "position"]
    shell.table(heads, [[row[head] for head in heads] for row in answer["sources"]])
    for row in answer["sources"]:
        profile, drift = row["profile"], row["drift"]
        if profile:
            promise = told(profile["promise"])
            shell.say(f"{row['code']}: {profile['strategy']}, {promise} ({_('measured')} {profile['measured_at']})")
        if row["constants"]:
            fixed = ", ".join(f"{say(one['name'])} {one['value']} ({one['share']:.1%})" for one in row["constants"])
            text = _("in nearly every record, so no evidence for matching: {fixed}", fixed=fixed)
            shell.say(f"{row['code']}: {text}")
        if drift:
            drifted = drift["missing"] + drift["surplus"]
            text = _("drift {drifted} ({missing} missing here, {surplus} gone there; {at})", drifted=drifted, **drift)
            shell.say(f"{row['code']}: {text}")
    if answer["warnings"]:
        shell.table(["warning", "records"], [[say(code), number] for code, number in answer["warnings"].items()])
    heads = ["id", "kind", "started_at", "verdict", "received", "reason"]
    shell.table(heads, [[row[head] for head in heads] for row in answer["runs"]])


# ---- before it is trusted --------------------------------------------------------------------------------


@command.command()
@click.argument("what", metavar="URL|CODE")
@click.option("--save", is_flag=True, help="Keep the profile of CODE: it then says how the source is followed.")
@click.option("--internal", is_flag=True, help="URL may lie in a private network.")
@click.option("--protocol", type=click.Choice(["oai-pmh", "sru", "z3950"]), default="oai-pmh", help="What URL speaks.")
@common
def probe(shell: Shell, what: str, save: bool, internal: bool, protocol: str) -> None:
    """Measure a server: software, formats, what dates mean, deletions, paging; the strategy and what it promises."""
    from harvester import probing
    from harvester.errors import UsageError

    changed: tuple[str, ...] = ()
    if "://" in what:
        if save:
            raise UsageError("only the profile of a known source can be saved", hint="induk partner add CODE URL")
        protocol = "z3950" if what.startswith("z3950") else protocol
        found = probing.probe_url(settings_of(shell), what, protocol=protocol, internal=internal)
    else:
        opened = open_pipeline(shell)
        found = probing.probe_source(opened, what)
        if save and not shell.dry_run:
            changed = probing.keep(opened, what, found)
    shell.emit({"profile": found, "changed": changed}, lambda: _show_profile(shell, found, changed))


def _answer(value: Any) -> str:
    """A value of a policy or profile: yes and no, lists, and sentences in the language of the call; codes stay."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    word = {"True": N_("yes"), "False": N_("no"), "yes": N_("yes"), "no": N_("no")}.get(str(value))
    return _(word) if word else told(value)


def _show_profile(shell: Shell, found: Any, changed: tuple[str, ...] = ()) -> None:
    shell.say(f"{found.url}: {found.software}, {found.repository_name}")
    if found.disabled:
        shell.say(_("OAI-PMH is switched off: the partner's choice"))
    names = [
        *("preset", "strategy", "promise", "metadata_prefix", "granularity", "from_works", "edits", "deletions"),
        *("paging", "page_size", "list_size", "charset", "sweep_days"),
    ]
    shell.table(["measured", "value"], [[_(name), _answer(getattr(found, name))] for name in names])
    for line in (*found.evidence, *(_("changed: {what}", what=one) for one in changed)):
        shell.say(f"  {told(line)}")


@command.command()
@click.argument("code")
@click.option("--number", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many records.")
@common
def sample(shell: Shell, code: str, number: int) -> None:
    """The first records of a source through its mapping, before it goes live; nothing is stored."""
    from harvester import probing

    opened = open_pipeline(shell)
    rows = probing.sample(opened, code, number)
    heads = ["identifier", "title", "author", "publication", "material", "identifiers", "holdings"]

    def show() -> None:
        shell.table(
            [*heads, "remarks"],
            [[*(getattr(row, head) for head in heads), row.refused or "; ".join(row.remarks)] for row in rows],
        )
        refused = sum(1 for row in rows if row.refused)
        shell.say(_("{number} records, {refused} refused.", number=len(rows), refused=refused))
        if probing.waits(opened, code):
            shell.say(_("To harvest it from now on: induk partner resume {code}", code=code))

    shell.emit(rows, show)


# ---- statuses --------------------------------------------------------------------------------------------


@command.command()
@click.argument("code")
@common
def pause(shell: Shell, code: str) -> None:
    """Stop harvesting a partner; every record stays."""
    from harvester import controlling

    if not shell.dry_run:
        controlling.pause(open_pipeline(shell), code)
    shell.emit(
        {"partner": code, "status": "paused"}, lambda: shell.say(_("{code} is paused; its records stay", code=code))
    )


@command.command()
@click.argument("code")
@common
def resume(shell: Shell, code: str) -> None:
    """Harvest a pending, paused or retired partner from now on."""
    from harvester import controlling

    if not shell.dry_run:
        controlling.resume(open_pipeline(shell), code)
    shell.emit({"partner": code, "status": "active"}, lambda: shell.say(_("{code} is active", code=code)))


@command.command()
@click.argument("code")
@click.option("--why", default="", help="The reason, kept with the run.")
@common
def retire(shell: Shell, code: str, why: str) -> None:
    """Take a partner out after a preview: tombstones for all its records, which keep their last bytes."""
    from harvester import controlling

    opened = open_pipeline(shell)
    seen = controlling.retire(opened, code, whoami(), preview=True)
    shell.say(
        _(
            "{code}: {records} records; {clusters_gone} clusters end, {clusters_kept} stay with others; "
            "{decisions} decisions of people sleep",
            code=code,
            records=seen.records,
            clusters_gone=seen.clusters_gone,
            clusters_kept=seen.clusters_kept,
            decisions=seen.decisions,
        )
    )
    if shell.dry_run:
        shell.emit(seen, lambda: None)
        return
    shell.confirm(_("Retire {code} and delete its {records} records?", code=code, records=seen.records))
    done = controlling.retire(opened, code, whoami(), why)
    shell.emit(
        done,
        lambda: shell.say(
            _("{code} is retired by run {runs}; now: induk match", code=code, runs=", ".join(map(str, done.runs)))
        ),
    )


@command.command()
@click.argument("code")
@common
def audit(shell: Shell, code: str) -> int:
    """Compare store and source by their identifiers now: fetch what is missing, propose what is gone."""
    from harvester import auditing

    opened = open_pipeline(shell)
    found = auditing.audit(opened, code)
    heads = ["here", "there", "missing", "surplus", "fetched", "deleted", "verdict", "reason"]
    shell.emit(found, lambda: shell.table(heads, [[getattr(found, head) for head in heads]]))
    return {"complete": 0, "halted": 3}.get(found.verdict, 1)


@command.command("import")
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@common
def import_partners(shell: Shell, path: Path) -> None:
    """Write a partner file for each row of a CSV: code, url, protocol, preset, name, contact, region, type, isil."""
    from harvester import enlisting

    done = enlisting.from_csv(settings_of(shell), path, dry_run=shell.dry_run)
    shell.emit(done, lambda: shell.table(["code", "url", "file"], [[one.code, one.url, one.path] for one in done]))
    if not shell.dry_run:
        for one in done:
            _wait(shell, one.code, None)


# ---- new identifiers -------------------------------------------------------------------------------------


@command.command()
@click.argument("code")
@click.option("--rule", default="", help="OLD=>NEW (beginnings), re:PATTERN=>TEXT, or number[:PREFIX].")
@click.option("--map", "table", type=click.Path(path_type=Path, exists=True), help="CSV of old and new identifiers.")
@click.option("--by-content", is_flag=True, help="Pair what the last full list no longer shows with what is new in it.")
@click.option("--undo", is_flag=True, help="Give the records of the last rekey their old identifiers back.")
@click.option("--why", default="", help="The reason, kept with the rekey.")
@common
def rekey(shell: Shell, code: str, rule: str, table: Path | None, by_content: bool, undo: bool, why: str) -> None:
    """Exchange the identifiers of a source: history, decisions, pins and cluster ids stay. Shows the plan first."""
    from harvester import rekey_pairing, rekeying
    from harvester.errors import UsageError

    if sum(map(bool, (rule, table, by_content, undo))) != 1:
        raise UsageError("say one of --rule, --map, --by-content and --undo")
    opened = open_pipeline(shell)
    if undo:
        if not shell.dry_run:
            shell.confirm(_("Give the records of {code} their old identifiers back?", code=code))
            done = rekeying.undo(opened, code, whoami(), why)
            shell.emit(
                done,
                lambda: shell.say(
                    _("{records} records have their old identifiers; now: induk match", records=done.records)
                ),
            )
        return
    names = rekey_pairing.table(table) if table else None
    plan = rekeying.plan_content(opened, code) if by_content else rekeying.plan_names(opened, code, names, rule)
    if shell.dry_run:
        shell.emit(plan, lambda: _show_plan(shell, plan))
        return
    _show_plan(shell, plan)
    shell.confirm(_("Exchange the identifiers of {pairs} records of {code}?", pairs=len(plan.pairs), code=code))
    done = rekeying.apply(opened, plan, whoami(), why)
    shell.emit(
        done,
        lambda: shell.say(
            _(
                "{records} records have new identifiers (run {run}); now: induk match",
                records=done.records,
                run=done.run,
            )
        ),
    )


def _show_plan(shell: Shell, plan: Any) -> None:
    """The plan: examples of the pairs, and everything that stays behind."""
    shell.table(
        ["old", "new", "harvested already"],
        [[one.old, one.new, _("yes") if one.twin else _("no")] for one in plan.pairs[:20]],
    )
    shell.say(
        _(
            "{pairs} records get another identifier ({twins} were harvested under it already), with {decisions} "
            "decisions of people; {left} stay as they are, {doubtful} are doubtful, {clashes} clash",
            pairs=len(plan.pairs),
            twins=plan.twins,
            decisions=plan.decisions,
            left=len(plan.left),
            doubtful=len(plan.doubtful),
            clashes=len(plan.clashes),
        )
    )
    for old, new in plan.clashes[:50]:
        shell.say(f"  {_('clash')}: {old} → {new}")
    for old, candidates in plan.doubtful[:50]:
        shell.say(f"  {_('doubtful')}: {old} → {', '.join(candidates[:5])}")
