"""What must be there before the page listens: somebody who can sign in, and a certificate that can be served."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from wattrail.app.plan import WebPlan
from wattrail.database_address import DatabaseAddress
from wattrail.errors import ConfigError
from wattrail.store.access import AccessBook

__all__ = ["require_access", "require_certificate"]

logger = logging.getLogger(__name__)


def require_access(web: WebPlan, database: DatabaseAddress) -> None:
    """Refuse to listen on a network where nobody could sign in, or warn of it. Raises ConfigError, StoreError."""
    if not web.open_to_network:
        return
    with AccessBook(database, read_only=True) as book:
        if book.is_open_to_anyone(datetime.now(UTC)):
            return
    # Nobody watches a service start: refused, it would be started again for ever, and no meter read for want of a user.
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
