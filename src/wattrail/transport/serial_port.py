"""``serial://`` - a serial adapter, by the serialx library. Eight data bits, one stop bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final

from wattrail.clock import Clock, Deadline
from wattrail.errors import PortError, PortLost, PortOpenError, PortTimeout, needs_library
from wattrail.transport.base import Port
from wattrail.transport.carrier import SIMULATED, OpenCarrier, com_name, device_open_error, device_path, typed
from wattrail.transport.discovery import is_free_port, without_device
from wattrail.urls import Option, PortUrl, choice, number_in

if TYPE_CHECKING:
    from serialx import BaseSerial

__all__ = ["IO_TIMEOUT_S", "LINE_OPTIONS", "OPTIONS", "SerialxPort", "missing_hint", "open_carrier", "prepare"]

IO_TIMEOUT_S: Final = 5.0
"""Longest wait for a write to leave; 512 bytes at 1200 baud take 4.3 s."""

_READ_SIZE: Final = 4096

LINE_OPTIONS: Final[Sequence[Option]] = (
    # A BL0942 starts at 4800 with its SCLK pin low or open, at 9600 with it high. Source: bl0942-ds/uart-frame
    Option("baud", number_in(int, 300, 4_000_000), 4800, "rate in baud, for example baud=9600"),
    Option("parity", choice("none", "even", "odd"), "none", "parity=none, even or odd; the BL0942 has none"),
    SIMULATED,
)
OPTIONS: Final[Sequence[Option]] = LINE_OPTIONS

_PARITY: Final = {"none": "N", "even": "E", "odd": "O"}


class SerialxPort(OpenCarrier):
    """A port on any serialx back end that is already open."""

    def __init__(self, url: str, clock: Clock, serial: BaseSerial, *, simulated: bool) -> None:
        super().__init__(url, clock, simulated=simulated)
        self._serial = serial
        self._watched = _Watched(self)

    def read(self, deadline: Deadline) -> bytes:
        """At least one byte, and whatever else has arrived. Raises PortTimeout, PortLost."""
        got = self._take(deadline.remaining)
        if not got:
            raise PortTimeout(f"{self.url}: nothing arrived before the deadline")
        return got

    def write(self, data: bytes) -> None:
        """Send all bytes as one block. Raises PortLost, PortTimeout."""
        with self._watched:
            self._serial.write(data, timeout=IO_TIMEOUT_S)

    def drain(self) -> bytes:
        """Take what has already arrived, without waiting. Raises PortLost."""
        # Until a read brings nothing: more than one buffer may be waiting.
        taken = bytearray()
        while got := self._take(0.0):
            taken += got
        return bytes(taken)

    def set_baud(self, baud: int) -> None:
        """Change the rate once what was written has left; what arrived unread is lost. Raises PortError."""
        # The system changes the rate at once, also for bytes that have not left its buffer yet.
        with self._watched:
            self._serial.flush()
            self._serial.reconfigure_port(baudrate=baud)

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Drive the modem lines; None leaves one alone. Raises PortLost."""
        with self._watched:
            # A line that is set is low at its pin: RTS that is wired to
            # CEN then holds the chip in reset. Source: bk-boot/adapters
            self._serial.set_modem_pins(dtr=dtr, rts=rts)

    def _take(self, timeout_s: float) -> bytes:
        buffer = bytearray(_READ_SIZE)
        with self._watched:
            count = self._serial.readinto(buffer, timeout=timeout_s)
        return bytes(buffer[:count])

    def check(self) -> None:
        """Raise PortLost once it is closed."""
        self._check_open()

    def _release(self) -> None:
        self._serial.close()


class _Watched:
    """Converts the library's errors to ours. Entered for each read and write, so kept small."""

    def __init__(self, port: SerialxPort) -> None:
        from serialx import SerialException, UnsupportedSetting

        self._port = port
        self._setting, self._gone = UnsupportedSetting, (OSError, SerialException)

    def __enter__(self) -> None:
        self._port.check()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return
        url = self._port.url
        if isinstance(error, TimeoutError):  # before OSError, of which it is a subclass
            raise PortTimeout(f"{url}: no progress within {IO_TIMEOUT_S} s") from error
        if isinstance(error, self._setting):
            raise PortError(f"{url}: {error}") from error
        if isinstance(error, self._gone):
            raise PortLost(f"{url} went away: {error}", hint="check the cable, then open it again") from error


def open_carrier(url: PortUrl, options: Mapping[str, object], clock: Clock) -> Port:
    """Open the adapter for this program alone, both modem lines raised. Raises PortOpenError, MissingExtra."""
    serial = prepare(_device(url), options, url.text)
    _open(url, serial)
    port = SerialxPort(url.text, clock, serial, simulated=typed(options, SIMULATED.name, bool))
    # Linux raises both lines by itself; isolated adapters feed their far side from them on any system.
    port.set_lines(dtr=True, rts=True)
    return port


def prepare(
    target: str, options: Mapping[str, object], url: str, *, connect_timeout_s: float = IO_TIMEOUT_S
) -> BaseSerial:
    """A serialx object, not yet open, for a device or a URL of that library. Raises MissingExtra."""
    with needs_library(url, "serialx", extra="serial"):
        import serialx
    return serialx.serial_for_url(
        target,
        baudrate=typed(options, "baud", int),
        parity=_PARITY[typed(options, "parity", str)],
        read_timeout=IO_TIMEOUT_S,
        write_timeout=IO_TIMEOUT_S,
        connect_timeout=connect_timeout_s,  # for network servers; devices do not use it
        # Left alone, because serialx drives them again at every change of rate.
        dtr_on_open=serialx.PinState.UNDEFINED,
        rts_on_open=serialx.PinState.UNDEFINED,
        # Two programs on one adapter take bytes from each other, and each sees replies that are cut short.
        exclusive=True,
    )


def _open(url: PortUrl, serial: BaseSerial) -> None:
    from serialx import SerialException

    try:
        serial.open()
    except OSError as error:
        raise device_open_error(url.text, _device(url), error, missing=missing_hint()) from error
    except SerialException as error:
        raise PortOpenError(f"{url.text}: {error}") from error


def _device(url: PortUrl) -> str:
    return com_name(device_path(url))


def missing_hint() -> str:
    """The hint for a serial device that does not exist."""
    try:
        from serialx import list_serial_ports
    except ImportError:
        return "check the USB cable"

    # A PC lists 32 ports without hardware, and its console: names that help nobody.
    found = ", ".join(port.device for port in list_serial_ports() if is_free_port(port.device))
    hidden = "; ".join(adapter.words() for adapter in without_device())
    if not found and not hidden:
        return "no serial device is plugged in: check the USB cable"
    return "; ".join(filter(None, (f"serial devices here: {found}" if found else "", hidden)))
