"""The table of checks. Each is one function from the surroundings to its findings; the order is that of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from wattrail.app.doctor.finding import DoctorFinding, Surroundings, wrong
from wattrail.app.doctor.machine import check_clock, check_disk, check_service, check_versions
from wattrail.app.doctor.network import check_access, check_brokers, check_certificate, check_page
from wattrail.app.doctor.ports import check_ports
from wattrail.app.doctor.storage import check_configuration, check_database, check_files

__all__ = ["CHECKS", "examine"]

Check = Callable[[Surroundings], Iterator[DoctorFinding]]

CHECKS: Final[tuple[tuple[str, Check], ...]] = (
    ("configuration", check_configuration),
    ("versions", check_versions),
    ("ports", check_ports),
    ("files", check_files),
    ("database", check_database),
    ("disk", check_disk),
    ("clock", check_clock),
    ("page", check_page),
    ("certificate", check_certificate),
    ("access", check_access),
    ("brokers", check_brokers),
    ("service", check_service),
)
"""What is looked at, by its name in the report."""


def examine(around: Surroundings) -> Iterator[tuple[str, DoctorFinding]]:
    """Every finding, as it is found, with the name of its check. A check that fails costs the others nothing."""
    for name, check in CHECKS:
        try:
            for found in check(around):
                yield name, found
        except Exception as error:  # noqa: BLE001 it is said, and the next check is made
            yield name, wrong(f"this check failed: {type(error).__name__}: {error}", "report it: this is a defect")
