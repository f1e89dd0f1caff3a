"""From counters to energy: import and export as two registers that never fall. Pure, integer, append-only."""

from wattrail.ledger.audit import Audit, AuditFinding, audit
from wattrail.ledger.bill import Bill, Line, bills
from wattrail.ledger.books import Books, Counts, Energy
from wattrail.ledger.channels import Channels
from wattrail.ledger.entries import BEGINNING, STATED, Entry, Epoch, Kind, Observation, Totals
from wattrail.ledger.intervals import Interval, by_interval
from wattrail.ledger.ledger import GAP_AFTER_US, Ledger
from wattrail.ledger.periods import By, boundaries, local_day, midnight
from wattrail.ledger.register_at import Point, registers_at
from wattrail.ledger.running import RunningInterval
from wattrail.ledger.stated import Direction, adjustment, assignment, milliwatt_hours, opening, unassigned
from wattrail.ledger.tariff import Price, Tariff, Timetable, Window
from wattrail.ledger.timeline import CONFIRM_US

__all__ = [
    "BEGINNING",
    "CONFIRM_US",
    "GAP_AFTER_US",
    "STATED",
    "Audit",
    "AuditFinding",
    "Bill",
    "Books",
    "By",
    "Channels",
    "Counts",
    "Direction",
    "Energy",
    "Entry",
    "Epoch",
    "Interval",
    "Kind",
    "Ledger",
    "Line",
    "Observation",
    "Point",
    "Price",
    "RunningInterval",
    "Tariff",
    "Timetable",
    "Totals",
    "Window",
    "adjustment",
    "assignment",
    "audit",
    "bills",
    "boundaries",
    "by_interval",
    "local_day",
    "midnight",
    "milliwatt_hours",
    "opening",
    "registers_at",
    "unassigned",
]  # fmt: skip
