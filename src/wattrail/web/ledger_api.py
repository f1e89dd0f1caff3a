"""The ledger in the REST interface: entries with their evidence, manual entries with a preview, and verification.

Reading and previews are this process's own. What is stated goes to the gateway, which alone writes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool

from wattrail.access import Scope
from wattrail.errors import LedgerError, StoreError
from wattrail.ledger import (
    By,
    EnergyDirection,
    Entry,
    EntryKind,
    LedgerSlice,
    Statement,
    StatementKind,
    boundaries,
    energy_of_entry,
    foresee,
    milliwatt_hours,
    reset,
    reset_outlook,
    reversals,
    unassigned,
)
from wattrail.sanitize import printable
from wattrail.store import MeterRow, StoreReader, open_to_read
from wattrail.store.pages import EntryFilter
from wattrail.store.verification import file_problems, verify_meter
from wattrail.web.energy_api import EnergyJson
from wattrail.web.gateway_calls import GatewayCalls
from wattrail.web.ledger_json import (
    AssignableJson,
    EntryJson,
    Kwh,
    LedgerJson,
    ManualEntryJson,
    PreviewJson,
    PreviewPeriodJson,
    ResetRegisterJson,
    StatementJson,
    VerificationJson,
)
from wattrail.web.openapi import may_fail
from wattrail.web.permissions import caller_of, needs
from wattrail.web.problems import ProblemDetails, RequestRefused
from wattrail.web.site_meters import SiteMeters
from wattrail.web.spans import First, Until, moment_of, period_label

__all__ = ["ledger_router"]

_MAX_ENTRIES: Final = 500
_MAX_FINDINGS: Final = 100
_MAX_NUMBER: Final = 2**53
_AN_INSTANT: Final = timedelta(microseconds=1)

EntryChoice = Literal["all", "remarkable", "start", "counted", "restart", "gap", "epoch", "clock"]


def ledger_router(site: SiteMeters, calls: GatewayCalls) -> APIRouter:
    """The routes below /meters/{name}/ledger."""
    router = APIRouter(prefix="/api/v1", tags=["ledger"])
    jobs = Verifications(site)

    def kept(name: str, number: int) -> ManualEntryJson:
        with site.account(name) as (reader, row):
            outline = reader.outline(row.id)
        return ManualEntryJson.of_entry(outline.stated[number - 1], outline, simulated=row.simulated)

    @router.get("/meters/{name}/ledger", responses=may_fail(404, 503))
    @needs(Scope.READ)
    def ledger(name: str) -> LedgerJson:
        """Registers, manual entries, what has no direction yet, and what may be stated."""
        with site.account(name) as (reader, row):
            return _ledger(reader, row, site.now())

    @router.get("/meters/{name}/ledger/entries", responses=may_fail(404, 503))
    @needs(Scope.READ)
    def entries(
        name: str, first: First = None, until: Until = None, kind: EntryChoice = "all",
        before: Annotated[int | None, Query(ge=1, le=_MAX_NUMBER, description="Only smaller numbers.")] = None,
        limit: Annotated[int, Query(ge=1, le=_MAX_ENTRIES)] = 50,
    ) -> list[EntryJson]:  # fmt: skip
        """Entries of the counter that end in a span, newest first; ``before`` is for the page that follows."""
        chosen = None if kind in {"all", "remarkable"} else EntryKind(kind)
        wanted = EntryFilter(
            before=before, kind=chosen, is_remarkable=kind == "remarkable",
            start=moment_of("from", first, site.zone) if first else None,
            end=moment_of("to", until, site.zone) if until else None,
        )  # fmt: skip
        with site.account(name) as (reader, row):
            found = reader.newest_entries(row.id, wanted, limit=limit)
            left = unassigned(reader.outline(row.id))
        former = {entry.sequence + 1: entry for entry in found.entries}
        return [
            EntryJson.of_entry(entry, found, left, former.get(entry.sequence), simulated=row.simulated)
            for entry in reversed(found.entries)
        ]

    @router.get("/meters/{name}/ledger/entries/{number}", responses=may_fail(404, 503))
    @needs(Scope.READ)
    def entry(name: str, number: int) -> EntryJson:
        """One entry of the counter, with what its registers showed before."""
        with site.account(name) as (reader, row):
            found = reader.newest_entries(row.id, EntryFilter(before=min(number, _MAX_NUMBER) + 1), limit=2)
            left = unassigned(reader.outline(row.id))
        if not found.entries or found.entries[-1].sequence != number:
            raise RequestRefused(ProblemDetails("not-found", f"{name} has no entry {number}"))
        former = found.entries[0] if len(found.entries) > 1 else None
        return EntryJson.of_entry(found.entries[-1], found, left, former, simulated=row.simulated)

    @router.get("/meters/{name}/ledger/preview", responses=may_fail(404, 503))
    @needs(Scope.READ)
    def preview(
        name: str, kind: StatementKind, import_kwh: Kwh = "0", export_kwh: Kwh = "0",
        about: Annotated[int, Query(ge=0, le=_MAX_NUMBER)] = 0, direction: EnergyDirection | None = None,
    ) -> PreviewJson:  # fmt: skip
        """What a manual entry would do to the registers, the day and the month; nothing is written."""
        with site.account(name) as (reader, row), _refusing():
            statement = _statement(kind, import_kwh, export_kwh, about, direction, who="you", reason="preview")
            return _preview(reader, row, statement, site.now(), site.zone)

    @router.post("/meters/{name}/ledger/manual", status_code=201, responses=may_fail(404, 409, 503))
    @needs(Scope.ADJUST)
    async def state(name: str, body: StatementJson, request: Request) -> ManualEntryJson:
        """Keep a manual entry for ever, under the number that its preview gave. Sent twice, it is kept once."""
        site.view(name)
        caller = caller_of(request)
        who = printable(body.who.strip(), limit=100) if caller.kind == "machine" else ""
        with _refusing():
            statement = _statement(
                body.kind, body.import_kwh, body.export_kwh, body.about, body.direction,
                who=who or caller.who, reason=printable(body.reason.strip(), limit=500),
            )  # fmt: skip
        await calls.call(
            "ledger.state", meter=name, number=body.number, kind=statement.kind.value, who=statement.who,
            reason=statement.reason, import_mwh=statement.import_mwh, export_mwh=statement.export_mwh,
            about=statement.about, direction=statement.direction.value if statement.direction else None,
        )  # fmt: skip
        return await run_in_threadpool(kept, name, body.number)

    @router.post("/meters/{name}/ledger/verification", status_code=202, responses=may_fail(404, 503))
    @needs(Scope.ADJUST)
    def verify(name: str) -> VerificationJson:
        """Begin to prove the file, the chain and every entry of a meter; one verification runs at a time."""
        site.view(name)
        return jobs.begin(name)

    @router.get("/meters/{name}/ledger/verification", responses=may_fail(404))
    @needs(Scope.READ)
    async def verification(name: str) -> VerificationJson:
        """How far the last verification of a meter is, and what it found."""
        site.view(name)
        return jobs.of(name)

    return router


class Verifications:
    """Runs one verification at a time, in a thread; keeps the last result of each meter."""

    def __init__(self, site: SiteMeters) -> None:
        self._site = site
        self._lock = threading.Lock()
        self._last: dict[str, VerificationJson] = {}

    def of(self, name: str) -> VerificationJson:
        """The last one of a meter."""
        view = self._site.feed.view(name)
        is_simulated = view is not None and view.simulated
        return self._last.get(name) or VerificationJson(name=name, simulated=is_simulated, state="none")

    def begin(self, name: str) -> VerificationJson:
        """Begin one; the one that runs, if it is of this meter. 503 while that of another meter runs."""
        if not self._lock.acquire(blocking=False):
            if (mine := self.of(name)).state == "running":
                return mine
            raise RequestRefused(ProblemDetails("unavailable", "another verification is running"))
        started = self._last[name] = self.of(name).model_copy(
            update={"state": "running", "done": 0, "findings": [], "more_findings": 0, "error": None}
        )
        threading.Thread(target=self._run, args=(name, started), name="verification", daemon=True).start()
        return started

    def _run(self, name: str, started: VerificationJson) -> None:
        try:
            with open_to_read(self._site.setup.database) as reader:
                row = reader.meter(name)
            if row is None:
                raise StoreError(f"nothing is stored of {name} yet")
            for step in verify_meter(self._site.setup.database, row, file_problems(self._site.setup.database)):
                self._last[name] = started.model_copy(update={"done": step.done, "entries": step.entries})
                if step.result is not None:
                    self._last[name] = started.finished(step.result, self._site.now(), limit=_MAX_FINDINGS)
        except Exception as error:  # noqa: BLE001 whoever asked for it sees it
            self._last[name] = started.model_copy(update={"state": "failed", "error": str(error)})
        finally:
            self._lock.release()


@contextmanager
def _refusing() -> Iterator[None]:
    """What the ledger refuses is a value that is not accepted."""
    try:
        yield
    except LedgerError as error:
        raise RequestRefused(ProblemDetails("invalid", str(error), error.hint)) from error


def _statement(
    kind: StatementKind, import_kwh: str, export_kwh: str, about: int, direction: EnergyDirection | None, *,
    who: str, reason: str,
) -> Statement:  # fmt: skip
    return Statement(
        kind=kind, who=who, reason=reason, about=about, direction=direction,
        import_mwh=milliwatt_hours(Decimal(import_kwh)), export_mwh=milliwatt_hours(Decimal(export_kwh)),
    )  # fmt: skip


def _ledger(reader: StoreReader, row: MeterRow, now: datetime) -> LedgerJson:
    outline = reader.outline(row.id)
    no_reset = _why_no_reset(outline, now)
    shown = foresee(reader.condensed_slice(row.id, [now]), [now]) if outline.entries else None
    nothing = EnergyJson(import_wh=0, export_wh=0, undirected_wh=0)
    undone = reversals(outline.stated)
    return LedgerJson(
        name=row.name, simulated=row.simulated, estimated=bool(reader.estimated_times(row.id)),
        entries=outline.entries[-1].sequence if outline.entries else 0,
        began=outline.began, booked_until=outline.booked_until,
        registers=EnergyJson.of(shown.registers) if shown else nothing,
        left=EnergyJson.of(shown.left) if shown else nothing, next_number=len(outline.stated) + 1,
        has_opening=any(one.kind is EntryKind.OPENING and one.sequence not in undone for one in outline.stated),
        assignable=[_assignable(outline, number, counts) for number, counts in unassigned(outline).items()],
        may_reset=no_reset is None, no_reset=no_reset,
        manual=[ManualEntryJson.of_entry(one, outline, simulated=row.simulated) for one in reversed(outline.stated)],
    )  # fmt: skip


def _why_no_reset(outline: LedgerSlice, now: datetime) -> str | None:
    try:
        reset(outline, at=now, who="you", reason="preview")
    except LedgerError as error:
        return str(error)
    return None


def _assignable(outline: LedgerSlice, number: int, counts: int) -> AssignableJson:
    entry = outline.entry(number)
    assert entry is not None  # the outline has every entry with undirected counts
    energy = EnergyJson.of(energy_of_entry(entry, outline.epochs).rounded_down())
    left = energy.undirected_wh * counts / entry.undirected
    return AssignableJson(import_wh=0, export_wh=0, undirected_wh=left, number=number, start=entry.start, end=entry.end)


def _preview(reader: StoreReader, row: MeterRow, statement: Statement, now: datetime, zone: tzinfo) -> PreviewJson:
    outline = reader.outline(row.id)
    made = statement.entry(outline, now)
    spans = [(by, *_span_of(by, _counts_at(made, now), zone)) for by in (By.DAY, By.MONTH)]
    moments = sorted({moment for _, start, end in spans for moment in (start, end)})
    ledger_slice = reader.condensed_slice(row.id, moments)
    before, after = foresee(ledger_slice, moments), foresee(ledger_slice, moments, made)
    periods = []
    for by, start, end in spans:
        pair = [foresee(ledger_slice, (start, end), one).periods[0] for one in (None, made)]
        periods.append(
            PreviewPeriodJson(
                by="day" if by is By.DAY else "month", label=period_label(by, start, zone),
                before=EnergyJson.of(pair[0].energy), after=EnergyJson.of(pair[1].energy),
            )
        )  # fmt: skip
    ledger = reader.ledger(row.id) if statement.kind is StatementKind.RESET else None
    whole = LedgerSlice(entries=outline.entries, epochs=outline.epochs, stated=(*outline.stated, made))
    return PreviewJson(
        number=made.sequence, simulated=row.simulated,
        entry=ManualEntryJson.of_entry(made, whole, simulated=row.simulated), **PreviewJson.figures(before, after),
        periods=periods, reset=[ResetRegisterJson.of(one) for one in reset_outlook(ledger)] if ledger else [],
    )  # fmt: skip


def _counts_at(made: Entry, now: datetime) -> datetime:
    """The moment whose day and month a manual entry changes; of an opening, which changes none, now."""
    return now if made.is_opening else made.end


def _span_of(by: By, at: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    start, end = boundaries(by, at, at + _AN_INSTANT, zone)
    return start, end
