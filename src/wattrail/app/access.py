"""Users and tokens in the gateway's process: who must be there before the page listens, and what it reports."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from wattrail.access import AuditRecord
from wattrail.app.plan import WebPlan
from wattrail.database_address import DatabaseAddress
from wattrail.errors import ConfigError
from wattrail.store.access import AccessBook

__all__ = ["AccessKeeper", "require_access", "require_certificate"]

logger = logging.getLogger(__name__)


class AccessKeeper:
    """Writes what the page reports, each with a connection of its own: the page's reports are few."""

    def __init__(self, database: DatabaseAddress) -> None:
        self._database = database

    def record(self, audit: AuditRecord) -> None:
        """Add a record to the audit log. Raises StoreError."""
        with AccessBook(self._database) as book:
            book.record(audit)

    def replace_hash(self, name: str, old: str, new: str) -> None:
        """Keep a password under newer parameters. Raises StoreError."""
        with AccessBook(self._database) as book:
            book.replace_hash(name, old, new)

    def mark_used(self, prefix: str, at: datetime) -> None:
        """A token was used. Raises StoreError."""
        with AccessBook(self._database) as book:
            book.mark_used(prefix, at)


def require_access(web: WebPlan, database: DatabaseAddress) -> None:
    """Refuse to listen on a network where nobody could sign in, or warn of it. Raises ConfigError, StoreError."""
    if not web.open_to_network:
        return
    with AccessBook(database, read_only=True) as book:
        if book.is_open_to_anyone(datetime.now(UTC)):
            return
    if web.waits_for_user:
        logger.warning(
            "nobody can sign in yet: %s has no user and no token, and the page at %s lets in this machine alone; make "
            "one: wattrail user add NAME --scope admin --database %s", database, web.host, database,
        )  # fmt: skip
        return
    raise ConfigError(
        f"the page is not served at {web.host}, for nobody could sign in: {database} has no user and no token",
        hint=f"make a user first: wattrail user add NAME --scope admin --database {database}; or serve this machine "
        "alone: host=127.0.0.1",
    )


def require_certificate(web: WebPlan) -> None:
    """Refuse a certificate that cannot be served; warn of one that browsers will refuse. Raises ConfigError."""
    if web.certificate is None or web.key is None:
        return
    from wattrail.web.tls import CertificateFiles, certificate_warning

    if (warning := certificate_warning(CertificateFiles(web.certificate, web.key))) is not None:
        logger.warning("%s", warning)
