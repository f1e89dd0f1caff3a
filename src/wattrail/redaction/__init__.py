"""Removes what says where somebody lives and what opens their devices from text that is handed to strangers.

Removing a part is not enough: an address with two of its four bytes left can be found. Each value is replaced as a
whole, by the same label wherever it stands and however it is written there; a second pass, which works in another way,
looks for what is left.
"""

from wattrail.redaction.kinds import Private, PrivateKind
from wattrail.redaction.names import EVERYBODY
from wattrail.redaction.proof import Leak, leaks
from wattrail.redaction.redactor import Redactor

__all__ = ["EVERYBODY", "Leak", "Private", "PrivateKind", "Redactor", "leaks"]
