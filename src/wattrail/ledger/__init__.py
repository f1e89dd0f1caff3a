"""From counters to energy: import and export as two registers that never fall. Pure, integer, append-only."""

from wattrail.ledger.audit import Audit, AuditFinding, Auditor, audit
from wattrail.ledger.bill import Bill, billing_moments, bills, energy_billing_moments, energy_bills
from wattrail.ledger.boot import Boot, boot_between
from wattrail.ledger.channels import Channels
from wattrail.ledger.count_series import CountSeries, by_counts
from wattrail.ledger.entries import BEGINNING, Entry, EntryKind, Epoch, Observation, Totals
from wattrail.ledger.estimates import NEVER_ESTIMATED, EstimatedTimes
from wattrail.ledger.imported import ImportedEnergy, with_imported
from wattrail.ledger.intervals import ImportedPart, Interval, RunningInterval, by_interval
from wattrail.ledger.ledger import GAP_AFTER_US, Ledger
from wattrail.ledger.ledger_slice import Counts, Energy, LedgerSlice
from wattrail.ledger.manual import (
    EnergyDirection,
    adjustment,
    assignment,
    milliwatt_hours,
    opening,
    reset,
    reversal,
    unassigned,
)
from wattrail.ledger.market_prices import MarketPrice
from wattrail.ledger.member import MemberLedger
from wattrail.ledger.periods import By, boundaries, local_day, midnight, parse_moment
from wattrail.ledger.register_at import registers_at
from wattrail.ledger.reversals import energy_of_entry, left_in_registers, reversals
from wattrail.ledger.statement import (
    Foreseen,
    ResetOutlook,
    Statement,
    StatementKind,
    foresee,
    kept_before,
    reset_outlook,
)
from wattrail.ledger.tariff import Price, Tariff, Timetable
from wattrail.ledger.timeline import CONFIRM_US
from wattrail.ledger.virtual import VIRTUAL_REGISTERS, VIRTUAL_SCHEME, Definition, VirtualKind, VirtualLedger

__all__ = [
    "BEGINNING",
    "CONFIRM_US",
    "GAP_AFTER_US",
    "NEVER_ESTIMATED",
    "VIRTUAL_REGISTERS",
    "VIRTUAL_SCHEME",
    "Audit",
    "AuditFinding",
    "Auditor",
    "Bill",
    "Boot",
    "By",
    "Channels",
    "CountSeries",
    "Counts",
    "Definition",
    "Energy",
    "EnergyDirection",
    "Entry",
    "EntryKind",
    "Epoch",
    "EstimatedTimes",
    "Foreseen",
    "ImportedEnergy",
    "ImportedPart",
    "Interval",
    "Ledger",
    "LedgerSlice",
    "MarketPrice",
    "MemberLedger",
    "Observation",
    "Price",
    "ResetOutlook",
    "RunningInterval",
    "Statement",
    "StatementKind",
    "Tariff",
    "Timetable",
    "Totals",
    "VirtualKind",
    "VirtualLedger",
    "adjustment",
    "assignment",
    "audit",
    "billing_moments",
    "bills",
    "boot_between",
    "boundaries",
    "by_counts",
    "by_interval",
    "energy_billing_moments",
    "energy_bills",
    "energy_of_entry",
    "foresee",
    "kept_before",
    "left_in_registers",
    "local_day",
    "midnight",
    "milliwatt_hours",
    "opening",
    "parse_moment",
    "registers_at",
    "reset",
    "reset_outlook",
    "reversal",
    "reversals",
    "unassigned",
    "with_imported",
]  # fmt: skip
