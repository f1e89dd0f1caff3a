"""Why a board does not let itself be flashed: statistics of a session, what they mean, and what to do. Pure."""

from wattrail.diagnosis.rules import CAUSES, KnownCause
from wattrail.diagnosis.session_statistics import LOADS, Loss, ResetBy, SessionStatistics, Stage
from wattrail.diagnosis.symptoms import SYMPTOMS, Diagnosis, LikelyCause, Symptom, coach, diagnose

__all__ = [
    "CAUSES",
    "LOADS",
    "SYMPTOMS",
    "Diagnosis",
    "KnownCause",
    "LikelyCause",
    "Loss",
    "ResetBy",
    "SessionStatistics",
    "Stage",
    "Symptom",
    "coach",
    "diagnose",
]
