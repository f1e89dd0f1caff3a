"""One file with what a helper on a forum needs to find a fault, without what says who and where its owner is."""

from wattrail.app.support_report.report import Attachment, known_values, support_report
from wattrail.app.support_report.sections import SECTIONS

__all__ = ["SECTIONS", "Attachment", "known_values", "support_report"]
