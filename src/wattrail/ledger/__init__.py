"""From counters to energy: import and export as two registers that never fall. Pure, integer, append-only."""

from wattrail.ledger.audit import Audit, Finding, audit
from wattrail.ledger.bill import Bill, Line, bills
from wattrail.ledger.books import Books, Counts, Energy
from wattrail.ledger.entries import BEGINNING, STATED, Entry, Epoch, Kind, Observation, Totals
from wattrail.ledger.intervals import Interval, by_interval
from wattrail.ledger.ledger import Ledger
from wattrail.ledger.periods import By, boundaries, midnight
from wattrail.ledger.register_at import Point, registers_at
from wattrail.ledger.stated import Direction, adjustment, assignment, milliwatt_hours, opening, unassigned
from wattrail.ledger.tariff import Price, Tariff, Timetable, Window
from wattrail.ledger.tariff_file import parse_tariff
from wattrail.ledger.timeline import CONFIRM_US

__all__ = [
    "BEGINNING", "CONFIRM_US", "STATED", "Audit", "Bill", "Books", "By", "Counts", "Direction", "Energy", "Entry",
    "Epoch", "Finding", "Interval", "Kind", "Ledger", "Line", "Observation", "Point", "Price", "Tariff", "Timetable",
    "Totals", "Window", "adjustment", "assignment", "audit", "bills", "boundaries", "by_interval", "midnight",
    "milliwatt_hours", "opening", "parse_tariff", "registers_at", "unassigned",
]  # fmt: skip
