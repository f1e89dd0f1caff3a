"""``wattrail publish backfill``."""

from __future__ import annotations

from json import dumps
from typing import Annotated

from cyclopts import Parameter

from wattrail.app.config import database_of, load_config
from wattrail.cli import output
from wattrail.cli.exits import Exit, UsageError
from wattrail.cli.ledger.view import kwh
from wattrail.cli.option_types import ConfigOption, FromOption, Json, ToOption
from wattrail.cli.reading_view import SIMULATED
from wattrail.cli.times import span_between
from wattrail.clock import zone_of
from wattrail.publish.home_assistant_history_fill import FilledRegister, FillSpan, fill_history
from wattrail.store import open_to_read
from wattrail.units import utc_text

_NO_TABLE = "the configuration has no table [publish.home_assistant_history]"
_TABLE_HINT = 'write [publish.home_assistant_history] and url = "http://HOST:8123"; docs/publish.md has the token'


def backfill(
    *,
    from_: FromOption = None,
    to: ToOption = None,
    meter: Annotated[str | None, Parameter(help="Name of one meter; else all of the configuration.")] = None,
    dry_run: Annotated[bool, Parameter(help="Say what would be written, and write nothing.")] = False,
    json: Json = False,
    config: ConfigOption = None,
) -> int:
    """Fill Home Assistant's statistics from the ledger.

    Hours that are missing or wrong are written; those that are right stay. Without --from it begins with the first
    statistics that Home Assistant has; an earlier --from puts the ledger's older hours before them. A second run finds
    nothing to do. A gateway may run meanwhile. Exit code 1 if a meter could not be filled.
    """
    from wattrail.app.publish_plan import history_plan

    settings = load_config(config)
    plan = history_plan(settings.publish) if settings else None
    if settings is None or plan is None:
        raise UsageError(_NO_TABLE, hint=_TABLE_HINT)
    names = tuple(one.name for one in settings.meter)
    if meter is not None and meter not in names:
        raise UsageError(f"no meter is named {meter!r}; there are: {', '.join(names)}")
    zone, database = zone_of(settings.site.timezone), database_of(settings)
    start, end = span_between(from_, to, zone)
    span = FillSpan(start=start, end=end)
    if start and end and end <= start:
        raise UsageError(f"no time lies from {from_} to {to}")
    with open_to_read(database):
        pass  # it is there, and of this version
    has_problem, shown = False, []
    if dry_run:
        output.note("nothing is written; without --dry-run this would be done:")
    for done in fill_history(plan, database, (meter,) if meter else names, span, is_dry_run=dry_run):
        has_problem = has_problem or done.problem is not None
        shown.append(_object(done))
        if not json:
            print(_line(done))
    if json:
        print(dumps(shown))
    if not shown:
        raise UsageError("no meter was published yet", hint="wattrail run publishes them; it gives each its identity")
    return Exit.FAILED if has_problem else Exit.DONE


def _line(done: FilledRegister) -> str:
    mark = f"  {SIMULATED}" if done.meter.simulated else ""
    if done.problem:
        return f"{done.meter.name} {done.way}: {done.problem}{mark}"
    found = done.plan.found
    text = (
        f"{done.meter.name} {done.way}, {done.statistic_id}: {found.missing} hours missing, {found.wrong} wrong, "
        f"{len(done.plan.rows)} to write; {found.right} right, {found.unknown} unknown to the ledger too"
    )
    if done.plan.adjust_from is not None:
        text += f"; sums from {done.plan.adjust_from:%Y-%m-%d %H:%MZ} on move by {kwh(done.plan.adjust_mwh)} kWh"
    return text + mark


def _object(done: FilledRegister) -> dict[str, object]:
    found, adjusted = done.plan.found, done.plan.adjust_from
    return {
        "meter": done.meter.name,
        "simulated": done.meter.simulated,
        "register": done.way,
        "statistic_id": done.statistic_id,
        "problem": done.problem,
        "missing": found.missing,
        "wrong": found.wrong,
        "right": found.right,
        "unknown": found.unknown,
        "hours": [utc_text(row.start, timespec="seconds") for row in done.plan.rows],
        "adjusted_from": utc_text(adjusted, timespec="seconds") if adjusted else None,
        "adjusted_mwh": done.plan.adjust_mwh,
    }
