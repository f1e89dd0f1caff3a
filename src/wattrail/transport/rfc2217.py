"""``rfc2217://`` - a serial adapter on another machine, rate and modem lines included (RFC 2217, by serialx)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from wattrail.clock import Clock
from wattrail.errors import PortOpenError
from wattrail.transport.base import Port
from wattrail.transport.carrier import SIMULATED, address, address_open_error, typed
from wattrail.transport.serial_port import LINE_OPTIONS, SerialxPort, prepare
from wattrail.transport.tcp import CONNECT_OPTION
from wattrail.urls import Option, PortUrl

if TYPE_CHECKING:
    from serialx import BaseSerial

__all__ = ["OPTIONS", "open_carrier"]

OPTIONS: Final[Sequence[Option]] = (*LINE_OPTIONS, CONNECT_OPTION)


def open_carrier(url: PortUrl, options: Mapping[str, object], clock: Clock) -> Port:
    """Connect and agree on rate and parity with the server. Raises PortOpenError, MissingExtra."""
    host, port = address(url)
    # An IPv6 address has lost its brackets with the URL, and needs them again in another one.
    target = f"rfc2217://[{host}]:{port}" if ":" in host else f"rfc2217://{host}:{port}"
    serial = prepare(target, options, url.text, connect_timeout_s=typed(options, "connect_timeout_s", float))
    from serialx import SerialException

    _skip_state_masks(serial)
    try:
        serial.open()
    except TimeoutError as error:
        raise PortOpenError(
            f"{url.text}: no RFC 2217 answer in time",
            hint=f"a server of raw bytes is opened by tcp://{host}:{port}",
        ) from error
    except OSError as error:
        raise address_open_error(url.text, error) from error
    except SerialException as error:
        raise PortOpenError(f"{url.text}: {error}") from error
    return SerialxPort(url.text, clock, serial, simulated=typed(options, SIMULATED.name, bool))


def _skip_state_masks(serial: BaseSerial) -> None:
    # serialx waits for the server to confirm the state masks, and pyserial's server, on which most others are built,
    # never does. We read no modem state and the masks have defaults, so they are not sent. The library has no public
    # option for that; the conformance suite, which runs against pyserial's server, fails when this stops working.
    client: Any = serial
    client._engine.build_state_mask_commands = tuple
