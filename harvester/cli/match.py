"""induk match"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from harvester.cli._decided import show_result, signed
from harvester.cli._speech import _, say, told
from harvester.cli.common import Shell, common, open_pipeline, settings_of
from harvester.cli.harvest import show_seconds
from harvester.errors import ConfigError
from harvester.laps import Seconds, Spent, add

STAGES = ("constants", "dictionaries", "propose", "compare", "group", "draw", "write", "wait", "worklist")
EVERY = 5.0  # seconds between two lines of progress


@click.group("match", invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="Profile and match every record again, by today's rules.")
@click.option("--profile", is_flag=True, help="Say at the end where the time went, by stage.")
@common
@click.pass_context
def command(context: click.Context, shell: Shell, everything: bool, profile: bool) -> int:
    """Match and merge what has changed since the last time."""
    if context.invoked_subcommand:
        return 0
    if everything:
        _rebuild(shell)
    seconds: Seconds = {}
    code = match_and_show(shell, open_pipeline(shell), spent=lambda stage, took: add(seconds, stage, took))
    if profile:
        show_seconds(shell, seconds, STAGES)
    return code


def _rebuild(shell: Shell) -> None:
    from harvester import rebuilding
    from harvester.clock import SystemClock

    shell.confirm(_("Match every record again? Consumers will see each cluster that changes."))
    rebuilding.rebuild(settings_of(shell), os.environ, SystemClock(), lambda seen: _note(shell, seen))


def _note(shell: Shell, seen: Any) -> None:
    """A line of progress with rate and time left."""
    minutes, seconds = divmod(round(seen.left), 60)
    left = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    if not shell.json:
        what = {"records": _("records"), "pairs": _("pairs")}[seen.what]
        words = {**seen._asdict(), "what": what, "left": left}
        shell.note(_("{done:,} of {total:,} {what}; {rate:,.0f} a second, {left} left", **words))


_SUMMED = ("records", "pairs", "merges", "changes")


def match_and_show(
    shell: Shell,
    opened: Any,
    before: Mapping[str, Any] | None = None,
    spent: Spent = lambda stage, seconds: None,
) -> int:
    """Match with progress and print the funnel's second half; *before* is what a promotion has matched already."""
    import time

    from db import catalogue, work
    from harvester import pipeline
    from harvester.rejudging import Progress

    with opened.database.read() as conn:
        total = work.queued(conn)
    done, told = 0, time.monotonic()
    started = told

    def progress(batch: Any) -> None:
        nonlocal done, told
        done += batch.records
        now = time.monotonic()
        if not shell.verbose and now - told >= EVERY:
            told, rate = now, done / max(now - started, 1e-6)
            _note(shell, Progress("records", done, total, rate, max(total - done, 0) / rate))
        elif shell.verbose:
            shell.note(
                _(
                    "matched {records} records, {pairs} pairs, {changes} changes",
                    records=batch.records,
                    pairs=batch.pairs,
                    changes=batch.changes,
                )
            )

    totals = pipeline.match(opened, progress, spent)
    totals |= {name: totals[name] + before[name] for name in _SUMMED} if before else {}
    with opened.database.read() as conn:
        funnel = catalogue.funnel(conn)
    found = {**totals, "catalogue": funnel}
    shell.emit(found, lambda: show_funnel(shell, found))
    return 0 if totals["verdict"] == "complete" else 1


def show_funnel(shell: Shell, found: dict[str, Any]) -> None:
    """The funnel's second half: from dirty records to the feed."""
    held = found["catalogue"]
    pairs = ", ".join(f"{held['pairs'][name]} {say(name)}" for name in ("merge", "review", "veto", "distinct"))
    shell.say(_("matched    {records} records, {pairs} new pairs, {changes} changes announced", **found))
    for code, fields in found.get("constants", {}).items():
        fixed = ", ".join(f"{say(name)} {value}" for name, value in fields.items()) or "-"
        shell.say(
            _("constants  {code}: in nearly every record, so no evidence for matching: {fixed}", code=code, fixed=fixed)
        )
    shell.say(_("pairs      {pairs}", pairs=pairs))
    shell.say(_("catalogue  {records} records in {clusters} clusters, {merged_clusters} merged", **held))
    shell.say(_("           the largest holds {largest_cluster}; {suspended_keys} keys suspended", **held))


@command.command()
@click.argument("left")
@click.argument("right")
@common
def explain(shell: Shell, left: str, right: str) -> None:
    """Why LEFT and RIGHT (addresses: source/identifier) were merged, or why not."""
    from harvester import explaining
    from harvester.cli._pair import show_pair

    answer = explaining.explain(open_pipeline(shell), left, right)
    shell.emit(answer, lambda: show_pair(shell, answer))


@command.command()
@click.option("--limit", type=int, default=20, show_default=True, help="At most so many.")
@click.option("--kind", "kinds", type=click.Choice(["review", "veto", "cluster"]), multiple=True, help="Only these.")
@click.option("--partner", default="", help="Only what concerns this partner.")
@common
def review(shell: Shell, limit: int, kinds: tuple[str, ...], partner: str) -> None:
    """What a person should look at, the most valuable first: open pairs, near-certain vetoes, odd clusters."""
    from harvester import reviewing

    opened = open_pipeline(shell)
    found = reviewing.queue(opened, limit, kinds=kinds or reviewing.KINDS, partner=partner)
    heads = ["value", "kind", "first record", "second record", "clusters", "records", "why"]
    rows = [[one.value, one.kind, one.left, one.right, _numbers(one), one.records, _why(one)] for one in found]
    shell.emit(found, lambda: shell.table(heads, rows))


def _why(one: Any) -> str:
    return "; ".join([reason.sentence(_, one.names) for reason in one.why] or map(say, one.reasons))


def _numbers(one: Any) -> str:
    return " ".join(map(str, one.clusters))


@command.command()
@click.argument("left")
@click.argument("right")
@click.argument("verdict", type=click.Choice(["same", "different"]))
@signed
@common
def judge(shell: Shell, left: str, right: str, verdict: Any, author: str, reason: str) -> int:
    """Answer the review: LEFT and RIGHT are the same manifestation, or different ones. Kept for training."""
    from harvester import reviewing

    opened = open_pipeline(shell)
    return show_result(shell, reviewing.judge(opened, left, right, verdict, author, reason, preview=shell.dry_run))


# ---- measuring and training --------------------------------------------------------------------------

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
RULES = click.option("--rules", "rules_file", type=FILE, help="Other rules than those that ship with Induk.")


@command.command()
@click.option("--records", type=FILE, required=True, help="MARC-in-JSON lines, ISO 2709 or MARCXML, also .gz; id: 001.")
@click.option("--pairs", type=FILE, required=True, help="CSV with the columns left, right, duplicate (1 or 0).")
@click.option("--clusters", type=FILE, help="CSV with the columns record, cluster: measure the whole set too.")
@RULES
@click.option("--samples", type=click.IntRange(0, 10_000), default=200, show_default=True, help="Bootstrap samples.")
@common
def evaluate(
    shell: Shell, records: Path, pairs: Path, clusters: Path | None, rules_file: Path | None, samples: int
) -> None:
    """What the rules are worth on labelled records: precision, recall, blocking, clusters. Needs no configuration."""
    from harvester import evaluating
    from harvester.match import rules

    judged = rules.load(rules_file)
    labelled = evaluating.read_pairs(pairs)
    known = evaluating.read_clusters(clusters) if clusters else {}
    found = evaluating.report(evaluating.gather(records, judged), labelled, known, judged, samples=samples)
    shell.emit(found, lambda: _show_evaluation(shell, found))


def _show_evaluation(shell: Shell, found: dict[str, Any]) -> None:
    at = found["thresholds"]
    shell.say(_("{records} records, {pairs} labelled pairs, {duplicates} duplicates", **found))
    shell.say(_("merged from {merge:g} points, reviewed from {review:g}", **at))
    ends = found["intervals"]
    rows = [[name, f"{found[name]:.4f}", _interval(ends[name])] for name in ("precision", "recall", "f1")]
    bare = found["without_vetoes"]
    for wanted, value in found["recall_at_precision"].items():
        rows.append(
            [
                _("recall at precision {wanted}", wanted=wanted),
                f"{value:.4f}",
                _interval(ends["recall_at_precision"][wanted]),
            ]
        )
        interval = _interval(bare["intervals"]["recall_at_precision"][wanted])
        rows.append([_("  without vetoes"), f"{bare['recall_at_precision'][wanted]:.4f}", interval])
    names = ("review_share", "review_catches", "pair_completeness", "candidates_per_record", "largest_cluster")
    rows += [[name, f"{found[name]:.4g}", ""] for name in names]
    for part, value in (found["b_cubed"] or {}).items():
        rows.append([f"b_cubed {part}", f"{value:.4f}", ""])
    whole = found["whole_set"]
    for name in ("precision", "recall") if whole else ():
        rows.append([_("whole set {name}", name=name), f"{whole[name]:.4f}", _interval(whole["intervals"][name])])
    shell.table(["figure", "value", "95 % interval"], rows)
    shell.say(_("{number} disagreements; --json shows them with their evidence", number=len(found["disagreements"])))
    lines = [
        [one["left"], one["right"], one["duplicate"], one["decision"]["verdict"], one["decision"]["score"],
         one["decision"].get("reason", "")]
        for one in found["disagreements"][:20]
    ]  # fmt: skip
    shell.table(["first record", "second record", "duplicate", "verdict", "points", "reason"], lines)
    _show_left_out(shell, found["left_out"])
    odd = found["odd_rows"]
    if any(odd.values()):
        shell.note(_("rows left out of --pairs: {itself} of one record, {repeated} repeated, "
                     "{contradictory} labelled both ways", **odd))  # fmt: skip
    if found["repeated"]:
        shell.note(_("of several records with one identifier the last counts: {names}",
                     names=", ".join(found["repeated"][:10])))  # fmt: skip
    if found["unclustered"]:
        shell.note(_("records in no row of --clusters: {unclustered}; each counts as a cluster of its own", **found))
    for one in found["unreadable"][:20]:
        shell.note(
            _("cannot be read, never merges: {record}: {reason}", record=one["record"], reason=told(one["reason"]))
        )


def _show_left_out(shell: Shell, left_out: dict[str, Any]) -> None:
    for name, lost in left_out.items():
        if lost["rows"]:
            text = _("rows left out of --{name}: {rows}; the file of records has no {records}",
                     name=name, rows=lost["rows"], records=", ".join(lost["records"]))  # fmt: skip
            shell.note(text)


def _interval(ends: list[float]) -> str:
    return f"{ends[0]:.4f} to {ends[1]:.4f}"


@command.command()
@click.option("--records", type=FILE, help="The records of the pairs, as for evaluate.")
@click.option("--pairs", type=FILE, help="CSV with the columns left, right, duplicate (1 or 0).")
@click.option("--labels-from-catalogue", "stored", is_flag=True, help="Also what cataloguers judged in the review.")
@RULES
@click.option("--spread", type=click.FloatRange(0.1, 50), default=2.0, show_default=True, help="How far points stray.")
@click.option("--keep-thresholds", is_flag=True, help="Fit the points only.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to write.")
@common
def train(
    shell: Shell,
    records: Path | None,
    pairs: Path | None,
    stored: bool,
    rules_file: Path | None,
    spread: float,
    keep_thresholds: bool,
    out: Path,
) -> None:
    """Fit the points of the rules to labelled pairs; comments and order of the file stay."""
    from harvester import evaluating
    from harvester.match import rules

    if bool(records) != bool(pairs) or not (records or stored):
        raise ConfigError("name --records and --pairs, or --labels-from-catalogue, or all three")
    opened = open_pipeline(shell) if stored else None
    base = rules.load(rules_file) if rules_file or not opened else opened.match
    labels = evaluating.Labels({}, [])
    if records and pairs:
        labels, left_out = evaluating.file_labels(records, pairs, base)
        _show_left_out(shell, {"pairs": left_out})
    if opened:
        more = evaluating.catalogue_labels(opened)
        labels = evaluating.Labels({**labels.profiles, **more.profiles}, [*labels.pairs, *more.pairs])
    made = evaluating.trained(labels, base, spread=spread, thresholds=not keep_thresholds)
    if not shell.dry_run:
        out.write_text(made.text, encoding="utf-8")
    answer = {key: value for key, value in made._asdict().items() if key != "text"} | {"out": str(out)}

    def show() -> None:
        heads = ["feature", "outcome", "before", "after"]
        shell.table(heads, [[row[head] for head in heads] for row in made.changed])
        shell.say(_("{pairs} pairs; {changed} points changed", pairs=made.pairs, changed=len(made.changed)))
        values = ", ".join(f"{name} {points:+g}" for name, points in made.thresholds.items())
        fitted = _("thresholds fitted: {values}", values=values)
        kept = _("thresholds as they were: {values}", values=values)
        shell.say(fitted if made.fitted_thresholds else kept)
        would, written = _("would write: {file}", file=out), _("written: {file}", file=out)
        shell.say(would if shell.dry_run else written)
        shell.say(_("Then: induk match simulate --rules {file}", file=out))

    shell.emit(answer, show)


# ---- other rules -------------------------------------------------------------------------------------


@command.command()
@click.option("--rules", "rules_file", type=FILE, required=True, help="The rules to try.")
@click.option("--samples", type=click.IntRange(0, 1000), default=20, show_default=True, help="Samples of each kind.")
@common
def simulate(shell: Shell, rules_file: Path, samples: int) -> None:
    """What other rules would do to the stored catalogue: clusters split and joined. Nothing is written."""
    from harvester import simulating
    from harvester.match import rules

    found = simulating.simulate(open_pipeline(shell), rules.load(rules_file), samples=samples)
    shell.emit(found, lambda: _show_simulation(shell, found))


def _show_simulation(shell: Shell, found: dict[str, Any]) -> None:
    before, after = found["before"], found["after"]
    shell.say(_("{records} records: {split} clusters split, {joined} joined", **found))
    if found["waiting"]:
        shell.say(_("{waiting} records wait to be matched: what they are in now is not their last word", **found))
    names = {"clusters": _("clusters"), "largest_cluster": _("largest cluster")}
    shell.table(["", "now", "then"], [[names.get(name) or say(name), before[name], after[name]] for name in before])
    for kind, head in (("by_partner", "partner"), ("by_class", "material")):
        rows = [[name, row["split"], row["joined"]] for name, row in found[kind].items()]
        shell.table([head, "split", "joined"], rows)
    for kind, cases in found["samples"].items():
        for one in cases:
            said = one["decision"]
            shell.say(f"{_(kind)}: {say(said['verdict'])} {said['score']:g} {say(said.get('reason', ''))}")
            for part in one["parts"]:
                shell.say("   " + " · ".join(f"{record['address']} {record['title'][:60]}" for record in part[:4]))


@command.command()
@click.argument("rules_file", metavar="[--rules] FILE", type=FILE, required=False)
@click.option("--rules", "named", type=FILE, help="The same, as `simulate` has it.")
@common
def promote(shell: Shell, rules_file: Path | None, named: Path | None) -> int:
    """Put the rules of FILE in force, keep the old ones for `rollback`, and match everything by them."""
    from harvester import simulating
    from harvester.clock import SystemClock
    from harvester.match import rules

    chosen = rules_file or named
    if chosen is None or (rules_file and named):
        raise ConfigError("name one file of rules")
    new = rules.load(chosen)
    if shell.dry_run:
        found = simulating.simulate(open_pipeline(shell), new)
        shell.emit(found, lambda: _show_simulation(shell, found))
        return 0
    shell.confirm(_("Match every record by these rules? Consumers will see each cluster that changes."))
    done = simulating.promote(settings_of(shell), os.environ, SystemClock(), chosen)
    return _show_promotion(shell, done)


def _show_promotion(shell: Shell, done: Any) -> int:
    """What is in force now; then what came in meanwhile is matched (a decision, an import)."""
    shell.note(_("rules {rules} are in force, before: {before}", rules=done.rules[:12], before=done.before[:12]))
    return match_and_show(shell, open_pipeline(shell), done.funnel)


@command.command()
@common
def rollback(shell: Shell) -> int:
    """Put the match rules back that were in force before the present ones, and match everything by them."""
    from harvester import simulating
    from harvester.clock import SystemClock

    if shell.dry_run:
        found = simulating.simulate(open_pipeline(shell), simulating.earlier(settings_of(shell), os.environ))
        shell.emit(found, lambda: _show_simulation(shell, found))
        return 0
    shell.confirm(_("Match every record by the rules of before? Consumers will see each cluster that changes."))
    done = simulating.rollback(settings_of(shell), os.environ, SystemClock())
    return _show_promotion(shell, done)
