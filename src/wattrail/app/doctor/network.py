"""The listener of the page, and the brokers that the configuration names; nobody else is contacted."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wattrail.app.doctor.finding import DoctorFinding, Surroundings, fine, warn, wrong
from wattrail.errors import ConfigError, WattrailError
from wattrail.sources.broker import BrokerAddress
from wattrail.urls import MQTT_PORTS, innermost

__all__ = ["check_brokers", "check_page"]

_TIMEOUT_S: Final = 5.0


def check_page(around: Surroundings) -> Iterator[DoctorFinding]:
    """Where it listens, whether that is free, and who can reach it."""
    web = around.plan.web if around.plan else None
    if web is None:
        return
    where = f"{web.host}, port {web.port}"
    holder = around.gateway()
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
