"""From one plan of a service to another: what needs a restart, and what changes, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from wattrail.app.plan import ServicePlan, WebPlan
from wattrail.errors import ConfigError
from wattrail.gateway.plan import PlanChanges

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from wattrail.ledger import Tariff

__all__ = ["describe_changes", "is_other_account", "require_no_restart"]


def require_no_restart(before: ServicePlan, after: ServicePlan) -> None:
    """Raises ConfigError where a running service cannot become the other plan.

    Another database is another account of every meter, another time zone moves the borders of their days, and a
    listener is bound before any meter is touched. A part of a changed file is never used.
    """
    if fields := list(_fixed_fields(before, after)):
        raise ConfigError(
            f"{', '.join(fields)} cannot change while the gateway runs; nothing of the file was used",
            hint="restart it: systemctl restart wattrail, or Ctrl-C and wattrail run",
        )


def is_other_account(before: ServicePlan, after: ServicePlan) -> bool:
    """Whether the demonstration begins or ends: simulated and real energy have databases of their own."""
    return (before.demo is None) != (after.demo is None)


def _fixed_fields(before: ServicePlan, after: ServicePlan) -> Iterator[str]:
    if is_other_account(before, after):
        yield "the step from the demonstration to a meter (or back)"
    elif str(before.database) != str(after.database):
        yield "[store] path or url"
    if before.gateway.zone != after.gateway.zone:
        yield "[site] timezone"
    if before.web is None or after.web is None:
        if before.web is not after.web:
            yield "whether a page is served"
        return
    if (before.web.host, before.web.port) != (after.web.host, after.web.port):
        yield "[web] host and port"


def describe_changes(
    before: ServicePlan, after: ServicePlan, meters: PlanChanges, publishers: tuple[str, ...]
) -> tuple[str, ...]:
    """What a reload changed, in short phrases; empty for nothing."""
    return tuple(_phrases(before, after, meters, publishers))


def _phrases(before: ServicePlan, after: ServicePlan, meters: PlanChanges, names: tuple[str, ...]) -> Iterator[str]:
    if is_other_account(before, after):
        yield "the demonstration ended" if after.demo is None else "the demonstration began"
    if meters.added:
        yield f"added {_meters(meters.added)}"
    if meters.changed:
        yield f"changed {_meters(meters.changed)}"
    if meters.removed:
        yield f"removed {_meters(meters.removed)}"
    if meters.recalibrated:
        yield f"other calibration of {_meters(meters.recalibrated)}"
    if meters.why_not_recalibrated:
        yield f"kept calibrations are not taken up: {meters.why_not_recalibrated}"
    # Alarms have a phrase of their own.
    if publishers := [name for name in names if name != "alarms"]:
        yield f"publishers started again or ended: {', '.join(publishers)}"
    if before.alarms != after.alarms:
        yield "alarms changed"
    if before.log != after.log:
        yield "log changed"
    if _own_tariffs(before) != _own_tariffs(after):
        yield "tariffs changed"
    if before.gateway.retention != after.gateway.retention:
        yield f"kept for another time: {', '.join(_fields(before.gateway.retention, after.gateway.retention))}"
    if before.web is not None and after.web is not None:
        yield from _page_phrases(before.web, after.web, is_as_before=not meters.added + meters.removed)


def _own_tariffs(plan: ServicePlan) -> tuple[Tariff, ...]:
    """Those of the configuration: the example of a demonstration comes and goes with it."""
    return () if plan.demo and plan.demo.tariff else plan.tariffs


def _meters(names: Sequence[str]) -> str:
    listed = ", ".join(names)
    return f"meter {listed}" if len(names) == 1 else f"meters {listed}"


def _page_phrases(before: WebPlan, after: WebPlan, *, is_as_before: bool) -> Iterator[str]:
    """With other meters, other ones are grid and solar by themselves, and that is not worth a phrase."""
    if before.house != after.house and is_as_before:
        yield "grid and solar changed"
    if changed := [name for name in _fields(before, after) if name != "house"]:
        yield f"page started again with other {', '.join(changed)}"


def _fields(before: DataclassInstance, after: DataclassInstance) -> Iterator[str]:
    """The fields in which two values of one class differ, as text."""
    for one in fields(before):
        if getattr(before, one.name) != getattr(after, one.name):
            yield one.name.replace("_", " ")
