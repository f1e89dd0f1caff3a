"""Who gets into the page: its certificate and key, its users and tokens, and who can read their hashes."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from wattrail.app.doctor.finding import DoctorFinding, Surroundings, described, fine, warn, wrong
from wattrail.database_address import DatabaseAddress, is_there
from wattrail.errors import StoreError, WattrailError
from wattrail.sanitize import printable
from wattrail.store.access import AccessBook

__all__ = ["check_access", "check_certificate"]


def check_certificate(around: Surroundings) -> Iterator[DoctorFinding]:
    """Whether certificate and key can be read, fit together, and for how long they hold."""
    web = around.plan.web if around.plan else None
    if web is None or web.certificate is None or web.key is None:
        yield fine("none is configured: the page is served without TLS")
        return
    from wattrail.web.tls import CertificateFiles, certificate_state

    try:
        state = certificate_state(CertificateFiles(web.certificate, web.key))
    except WattrailError as error:
        yield wrong(str(error), error.hint)
        return
    if state.warning is not None:
        yield warn(state.warning, "renew it; a gateway that runs takes up renewed files by itself")
    elif state.expires is not None:
        days = (state.expires - datetime.now(UTC)).days
        yield fine(f"{printable(str(web.certificate))} fits its key, and holds for {days} days; {described(web.key)}")


def check_access(around: Surroundings) -> Iterator[DoctorFinding]:
    """Whether somebody can sign in where that is needed, and whether others can read what passwords are checked by."""
    web = around.plan.web if around.plan else None
    is_open = web is not None and web.open_to_network
    if not is_there(around.database):
        yield _nobody(around.database) if is_open else fine("there is no user, and this machine needs none")
        return
    try:
        with AccessBook(around.database, read_only=True) as book:
            users, tokens, can_sign_in = book.users(), book.tokens(), book.is_open_to_anyone(datetime.now(UTC))
    except StoreError as error:  # of an older version, or damaged: the check of the database says which
        yield warn(str(error), "see the check of the database")
        return
    if is_open and not can_sign_in:
        yield _nobody(around.database)
    else:
        yield fine(f"{_count(len(users), 'user')}, {_count(len(tokens), 'token')}")
    if isinstance(around.database, Path) and (users or tokens):
        yield from _readable_by_others(around.database)


def _nobody(database: DatabaseAddress) -> DoctorFinding:
    return wrong(
        f"the page is open to the network, and nobody can sign in: {database} has no user and no token",
        f"type: wattrail user add NAME --scope admin --database {database}",
    )


def _readable_by_others(database: Path) -> Iterator[DoctorFinding]:
    """The database and copies of it, from which every user of this machine could guess at passwords."""
    if not is_reachable(database.absolute().parent):
        return
    for file in (database, *sorted(database.parent.glob(f"{database.name}.before-version-*"))):
        if file.stat().st_mode & stat.S_IROTH:
            yield warn(
                f"{described(file)}: every user of this machine can read it, and guess at the passwords in it",
                f"type: chmod o-r {file}",
            )


def is_reachable(folder: Path) -> bool:
    """Whether every user of this machine may look into a folder."""
    return all(place.stat().st_mode & stat.S_IXOTH for place in (folder, *folder.parents))


def _count(number: int, what: str) -> str:
    return f"{number} {what if number == 1 else f'{what}s'}"
