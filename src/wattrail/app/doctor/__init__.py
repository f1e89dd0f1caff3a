"""Looks at everything that a gateway needs from its machine, and says what is wrong with the remedy."""

from wattrail.app.doctor.checks import CHECKS, examine
from wattrail.app.doctor.finding import DoctorFinding, FindingSeverity, Surroundings

__all__ = ["CHECKS", "DoctorFinding", "FindingSeverity", "Surroundings", "examine"]
