"""Who may do what: scopes, users, tokens, the throttle of logins, and the record of what was done.

Nothing here reads a file or a clock. The database keeps the records (``store.access``), the page asks for them.
"""

from wattrail.access.records import AuditRecord, Token, User
from wattrail.access.scope import Scope

__all__ = ["AuditRecord", "Scope", "Token", "User"]
