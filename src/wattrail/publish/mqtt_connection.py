"""A connection to a broker for publishers: MQTT 5, a will, TLS, and what the errors of the library mean."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wattrail.errors import AccessDenied, FileError, MissingExtra, PortError, PortLost, PortOpenError, WattrailError
from wattrail.publish.dialect import MqttMessage
from wattrail.publish.status import PublisherStatus
from wattrail.sanitize import printable
from wattrail.sources import Secrets
from wattrail.sources.broker import BrokerAddress
from wattrail.transport.connection_reason import connection_reason

if TYPE_CHECKING:
    import aiomqtt
    from paho.mqtt.properties import Properties

__all__ = ["TIMEOUT_S", "MqttProblem", "broker_client", "publish_properties", "require_aiomqtt"]

TIMEOUT_S: Final = 10.0
_KEEPALIVE_S: Final = 30
_REFUSED: Final = {134, 135}
"""CONNACK of MQTT 5: bad user name or password, not authorized."""

_NOT_TAKEN: Final = {
    130: "the broker's log says why; mosquitto 2.0.11 says this for its message_size_limit, of which 16 kB are enough",
    135: "let its user write to the topics of [publish.{name}]: see the access list of the broker",
    149: "raise message_size_limit or max_packet_size of the broker: 16 kB are enough",
    151: "raise the quota of its user at the broker",
}
"""Why a broker does not take a message, and what helps. PUBACK and DISCONNECT of MQTT 5: a protocol error, not
authorized, too large, over quota."""

logger = logging.getLogger(__name__)


def broker_client(address: BrokerAddress, will: MqttMessage, ca_file: Path | None) -> aiomqtt.Client:
    """A client that is not connected yet. Raises ConfigError and FileError for the secrets and for ``ca_file``."""
    import aiomqtt

    from wattrail.publish.mqtt_client import CheckedClient

    login = Secrets().find(address.login)
    return CheckedClient(
        address.host,
        address.port,
        username=login.user if login else None,
        password=login.password if login else None,
        protocol=aiomqtt.ProtocolVersion.V5,
        will=aiomqtt.Will(will.topic, will.payload, qos=will.qos, retain=will.retain),
        tls_context=_tls_context(ca_file) if address.is_encrypted else None,
        timeout=TIMEOUT_S,
        keepalive=_KEEPALIVE_S,
        logger=logger,
    )


class MqttProblem(Exception):
    """Why there is no connection: what to show, and whether the broker refuses us."""

    def __init__(self, status: PublisherStatus, error: WattrailError) -> None:
        super().__init__(str(error))
        self.status, self.error = status, error

    @classmethod
    def of(cls, error: Exception, address: BrokerAddress, *, name: str, is_connected: bool) -> MqttProblem:
        """What an error of the library means to the publisher of that name."""
        cause = error.__cause__ if is_connected and error.__cause__ else error  # aiomqtt has the broker's reason there
        code = getattr(cause, "rc", None)
        reason = printable(connection_reason(cause, f"{address.host}:{address.port}"), limit=160)
        number = getattr(code, "value", code)
        shown: PortError
        if is_connected and number in _NOT_TAKEN:
            shown = AccessDenied(
                f"{address} does not take what is published: {reason}", hint=_NOT_TAKEN[number].format(name=name)
            )
            return cls(PublisherStatus.REFUSED, shown)
        if number in _REFUSED:
            shown = AccessDenied(
                f"{address} refuses the login {address.login!r}: {reason}",
                hint="docs/sources.md, credentials, says where the login is stored",
            )
            return cls(PublisherStatus.REFUSED, shown)
        if "CERTIFICATE" in reason.upper():
            shown = PortOpenError(
                f"{address}: the certificate of the broker is not accepted: {reason}",
                hint=f"name the authority that signed it: ca_file in [publish.{name}]",
            )
            return cls(PublisherStatus.REFUSED, shown)
        if is_connected:
            shown = PortLost(f"{address}: the connection broke: {reason}", hint="it is being connected again")
        else:
            shown = PortOpenError(
                f"{address}: cannot connect: {reason}", hint="check that an MQTT broker runs there, and its port"
            )
        return cls(PublisherStatus.AWAY, shown)


def require_aiomqtt(name: str) -> None:
    """Raises MissingExtra where the library is missing."""
    try:
        import aiomqtt  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise MissingExtra(f"[publish.{name}]", library="aiomqtt", extra="mqtt") from error


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # a missing file, and one without a certificate in it
        raise FileError(f"{ca_file} cannot be used as ca_file: {error.strerror or error}") from error


def publish_properties(message: MqttMessage) -> Properties | None:
    """The MQTT 5 properties of a message; None where it has none."""
    if message.expiry_s is None:
        return None
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho has types elsewhere
    properties.MessageExpiryInterval = message.expiry_s
    return properties
