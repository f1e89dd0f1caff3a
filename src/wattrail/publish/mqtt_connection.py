"""A connection to a broker for publishers: MQTT 5, a will, TLS, and what the errors of the library mean."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from wattrail.errors import AccessDenied, PortError, PortLost, PortOpenError, needs_library
from wattrail.publish.authority import trusting
from wattrail.publish.dialect import MqttMessage
from wattrail.publish.status import DeliveryFailed, PublisherStatus
from wattrail.sanitize import printable
from wattrail.sources import Secrets
from wattrail.sources.broker import BrokerAddress
from wattrail.transport.connection_reason import connection_reason

if TYPE_CHECKING:
    import aiomqtt
    from paho.mqtt import client as paho
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

__all__ = ["MqttProblem", "broker_client", "publish_message", "require_aiomqtt"]

T = TypeVar("T")

_KEEPALIVE_S: Final = 30
_NOT_AUTHORIZED: Final = 135
_REFUSED: Final = {134, _NOT_AUTHORIZED}
"""CONNACK of MQTT 5: bad user name or password, not authorized; mosquitto says the latter for both."""

_WRONG_VERSION: Final = 132
_NO_ANSWER: Final = "Operation timed out"
"""What aiomqtt says of it, and of nothing else before it is connected."""

_PROTOCOL_ERROR: Final = 130
_TOO_LARGE: Final = 149
_HINTS: Final = {
    _PROTOCOL_ERROR: "mosquitto also answers so to what is over its message_size_limit: raise it then",
    _NOT_AUTHORIZED: "let the user of this login write there: the access list of the broker does not",
    _TOO_LARGE: "raise the limit of the broker: message_size_limit or max_packet_size of mosquitto",
}
"""What to do about a message that is refused, by the reason code of MQTT 5."""

_MAX_OVERHEAD: Final = 16
"""Bytes of a PUBLISH packet beside topic and payload, with our properties, at most."""

_logger = logging.getLogger(f"{__name__}.library")
_logger.setLevel(logging.CRITICAL)  # paho logs an error at each attempt; the board has the reason, and logs it once


def broker_client(
    address: BrokerAddress, will: MqttMessage | None, ca_file: Path | None, *, identifier: str, timeout_s: float
) -> aiomqtt.Client:
    """A client that is not connected yet. Raises ConfigError and FileError for the secrets and for ``ca_file``.

    With the ``identifier`` of an earlier connection the broker ends that one, and sends its will, before this begins.
    """
    import aiomqtt

    login = Secrets().find(address.login)
    return _checking_client()(
        address.host,
        address.port,
        identifier=identifier,
        username=login.user if login else None,
        password=login.password if login else None,
        protocol=aiomqtt.ProtocolVersion.V5,
        will=aiomqtt.Will(will.topic, will.payload, qos=will.qos, retain=will.retain) if will else None,
        tls_context=trusting(ca_file) if address.is_encrypted else None,
        timeout=timeout_s,
        keepalive=_KEEPALIVE_S,
        logger=_logger,
    )


def _checking_client() -> type[aiomqtt.Client]:
    """A class for one client: that of aiomqtt 2.5, corrected where it loses what the broker says.

    That one takes every PUBACK for a yes, so that a refused message would be lost, and nobody would know. It ignores
    the limits in a CONNACK. When the connection ends, it waits for answers until their time is up, and forgets why it
    ended; one that does not begin it leaves open.
    """
    import aiomqtt

    refusals: dict[int, ReasonCode] = {}

    class Checking(aiomqtt.Client):
        max_packet: int | None = None

        async def __aenter__(self) -> Self:
            try:
                return await super().__aenter__()
            except aiomqtt.MqttError as error:
                self._connected.set_exception(error)
                self._connected.exception()  # is retrieved here: nobody else waits for it
                self._client.disconnect()
                raise

        def _on_connect(
            self,
            client: paho.Client,
            userdata: object,
            flags: paho.ConnectFlags,
            reason_code: ReasonCode,
            properties: Properties | None = None,
        ) -> None:
            self.max_packet = getattr(properties, "MaximumPacketSize", None)
            super()._on_connect(client, userdata, flags, reason_code, properties)

        def _on_publish(
            self, client: paho.Client, userdata: object, mid: int, reason_code: ReasonCode, properties: Properties
        ) -> None:
            if reason_code.is_failure:
                refusals[mid] = reason_code
            super()._on_publish(client, userdata, mid, reason_code, properties)

        def _on_disconnect(
            self,
            client: paho.Client,
            userdata: object,
            flags: paho.DisconnectFlags,
            reason_code: ReasonCode,
            properties: Properties | None = None,
        ) -> None:
            super()._on_disconnect(client, userdata, flags, reason_code, properties)
            unanswered: list[asyncio.Future[Any]] = [self._connected, *self._pending_subscribes.values()]
            for answer in unanswered:
                if not answer.done():
                    answer.set_exception(aiomqtt.MqttCodeError(reason_code))
            for acknowledged in self._pending_publishes.values():
                acknowledged.set()

        async def _wait_for(self, fut: Awaitable[T], timeout: float | None) -> T:
            answer = await super()._wait_for(fut, timeout)
            task = asyncio.current_task()
            if (
                task is not None and task.cancelling()
            ):  # Python 3.11's wait_for loses a cancel that comes with an answer
                raise asyncio.CancelledError
            return answer

        @contextmanager
        def _pending_call(self, mid: int, value: object, pending_dict: dict[int, Any]) -> Iterator[None]:
            with super()._pending_call(mid, value, pending_dict):
                yield
                if mid in pending_dict:  # nothing has answered
                    raise self._disconnected.exception() or aiomqtt.MqttError("closed before the answer")
            if (reason := refusals.pop(mid, None)) is not None:
                raise _Refusal(reason)

    return Checking


class _Refusal(Exception):
    """The broker acknowledged a message with a reason why it does not take it."""

    def __init__(self, reason: ReasonCode) -> None:
        super().__init__(str(reason))
        self.code = reason.value


class MqttProblem(DeliveryFailed):
    """Why there is no connection, or why the broker does not take a message."""

    @classmethod
    def of(cls, error: Exception, address: BrokerAddress, *, name: str, is_connected: bool) -> MqttProblem:
        """What an error of the library means to the publisher of that name."""
        error = error.__cause__ if isinstance(error.__cause__, type(error)) else error
        code = getattr(error, "rc", None)
        code, has_no_answer = getattr(code, "value", code), str(error) == _NO_ANSWER
        reason = printable(connection_reason(error, f"{address.host}:{address.port}"), limit=160)
        shown: PortError
        if code in _REFUSED:
            hint = "check user and password (docs/sources.md, credentials), and that they may write the topics"
            return cls(
                PublisherStatus.REFUSED,
                AccessDenied(f"{address} refuses the login {address.login!r}: {reason}", hint=hint),
            )
        if code == _WRONG_VERSION:
            shown = PortOpenError(f"{address} does not speak MQTT 5: {reason}", hint="mosquitto does from 1.6 on")
            return cls(PublisherStatus.REFUSED, shown)
        if code == _TOO_LARGE:
            shown = PortLost(f"{address} ends the connection: {reason}", hint=_HINTS[_TOO_LARGE])
            return cls(PublisherStatus.REFUSED, shown)
        if "CERTIFICATE" in reason.upper():
            shown = PortOpenError(
                f"{address}: the certificate of the broker is not accepted: {reason}",
                hint=_certificate_hint(reason, name),
            )
            return cls(PublisherStatus.REFUSED, shown)
        if is_connected:
            shown = PortLost(f"{address}: the connection broke: {reason}", hint="it is being connected again")
        elif code is not None or has_no_answer:  # the port was opened before
            shown = PortOpenError(
                f"{address}: the port is open, but what listens there is not an MQTT broker: {reason}",
                hint="check the port: mostly 1883 for mqtt://, 8883 for mqtts://",
            )
        else:
            shown = PortOpenError(f"{address}: cannot connect: {reason}", hint="check that the broker runs there")
        return cls(PublisherStatus.AWAY, shown)

    @classmethod
    def of_message(cls, code: int, reason: str, message: MqttMessage, address: BrokerAddress) -> MqttProblem:
        """What it means that the broker does not take a message."""
        size = "" if code == _NOT_AUTHORIZED else f" ({len(message.payload.encode())} bytes)"
        shown = AccessDenied(
            f"{address} refuses what is published to {message.topic!r}{size}: {printable(reason)}",
            hint=_HINTS.get(code, "the log of the broker says why"),
        )
        return cls(PublisherStatus.REFUSED, shown)


def _certificate_hint(reason: str, name: str) -> str:
    if "not yet valid" in reason or "expired" in reason:
        return f"check the clock of this machine, which says {datetime.now(UTC):%Y-%m-%d %H:%M} UTC; else renew it"
    return f"name the authority that signed it: ca_file in [publish.{name}]"


async def publish_message(client: aiomqtt.Client, message: MqttMessage, address: BrokerAddress) -> None:
    """Publish, and wait until the broker has it. Raises MqttProblem where it refuses, and MqttError."""
    import aiomqtt

    size = len(message.topic.encode()) + len(message.payload.encode()) + _MAX_OVERHEAD
    if size > (getattr(client, "max_packet", None) or size):
        raise MqttProblem.of_message(_TOO_LARGE, "Packet too large", message, address)
    try:
        await client.publish(
            message.topic,
            message.payload,
            qos=message.qos,
            retain=message.retain,
            properties=_publish_properties(message),
        )
    except _Refusal as refusal:
        raise MqttProblem.of_message(refusal.code, str(refusal), message, address) from refusal
    except aiomqtt.MqttCodeError as error:
        # What mosquitto acknowledges as too large, paho takes for an error of the protocol, as MQTT 5 has it.
        if getattr(error.rc, "value", None) != _PROTOCOL_ERROR:
            raise
        raise MqttProblem.of_message(_PROTOCOL_ERROR, str(error), message, address) from error


def require_aiomqtt(name: str) -> None:
    """Raises MissingExtra where the library is missing."""
    with needs_library(f"[publish.{name}]", "aiomqtt", extra="mqtt"):
        import aiomqtt  # noqa: F401 - only whether it is there


def _publish_properties(message: MqttMessage) -> Properties | None:
    """The MQTT 5 properties of a message; None where it has none."""
    if message.expiry_s is None:
        return None
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho has types elsewhere
    properties.MessageExpiryInterval = message.expiry_s
    return properties
