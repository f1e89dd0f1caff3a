"""The page as the network sees it: its listener, its certificate, who gets in. And the brokers that are configured.

Nobody else is contacted.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from wattrail.app.doctor.finding import DoctorFinding, Surroundings, described, fine, warn, wrong
from wattrail.database_address import DatabaseAddress, is_there
from wattrail.errors import ConfigError, StoreError, WattrailError
from wattrail.sanitize import printable
from wattrail.sources.broker import BrokerAddress
from wattrail.store.access import AccessBook
from wattrail.urls import MQTT_PORTS, innermost

__all__ = ["check_access", "check_brokers", "check_certificate", "check_page"]

_TIMEOUT_S: Final = 5.0


def check_page(around: Surroundings) -> Iterator[DoctorFinding]:
    """Where it listens, whether that is free, and who can reach it."""
    web = around.plan.web if around.plan else None
    if web is None:
        return
    where = f"{web.host}, port {web.port}"
    holder = around.gateway()
    # The port is held by the gateway then; trying to bind it would only say that it is in use.
    if holder is not None and holder.address:
        yield fine(f"the gateway serves it at {holder.address}")
    else:
        from wattrail.web import bind

        try:
            bind(web.host, web.port).close()
            yield fine(f"{where} is free")
        except ConfigError as error:
            yield wrong(str(error), error.hint)
    if web.open_to_network:
        yield warn(f"{where}: other machines can reach it", "see docs/security.md; 127.0.0.1 is for this machine alone")


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
    # A folder closed to others protects its files, whatever their own modes are.
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
    # A file can only be opened if every folder above it may be searched.
    return all(place.stat().st_mode & stat.S_IXOTH for place in (folder, *folder.parents))


def _count(number: int, what: str) -> str:
    return f"{number} {what if number == 1 else f'{what}s'}"


def check_brokers(around: Surroundings) -> Iterator[DoctorFinding]:
    """Whether each broker answers and takes the login."""
    addresses = dict(_brokers(around))
    if not addresses:
        yield fine("the configuration names none")
        return
    try:
        from wattrail.publish.mqtt_connection import require_aiomqtt

        require_aiomqtt("mqtt")
    except WattrailError as error:
        yield wrong(str(error), error.hint)
        return
    for address, ca_file in addresses.items():
        yield asyncio.run(_reached(address, ca_file))


def _brokers(around: Surroundings) -> Iterator[tuple[BrokerAddress, Path | None]]:
    if around.config is None:
        return
    for section in (around.config.publish.home_assistant, around.config.publish.mqtt):
        if section is not None:
            yield section.address(), Path(section.ca_file) if section.ca_file else None
    for meter in around.config.meter:
        url = innermost(meter.url)
        if url.scheme in MQTT_PORTS and url.host:
            port = url.port or MQTT_PORTS[url.scheme]
            yield BrokerAddress(url.host, port, url.scheme == "mqtts", url.query.get("login") or url.host), None


async def _reached(address: BrokerAddress, ca_file: Path | None) -> DoctorFinding:
    import aiomqtt

    from wattrail.publish.mqtt_connection import MqttProblem, broker_client

    try:
        # An identifier of its own: one in use would end the session of the gateway: MQTT 5.0, 3.1.4.
        client = broker_client(
            address, None, ca_file, identifier=f"wattrail-doctor-{os.getpid()}", timeout_s=_TIMEOUT_S
        )
        async with asyncio.timeout(2 * _TIMEOUT_S), client:
            how = "by TLS" if address.is_encrypted else "without TLS"
    except (aiomqtt.MqttError, OSError) as error:
        shown = MqttProblem.of(error, address, name="mqtt", is_connected=False).error
        return wrong(str(shown), shown.hint)
    except WattrailError as error:
        return wrong(str(error), error.hint)
    return fine(f"{address} answers {how}, and takes the login")
