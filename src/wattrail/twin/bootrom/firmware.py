"""What a BK7231 sends unasked: the application on UART1, boot messages on the log UART.

Sources: the heartbeat is TuyaMCU's first frame, which a module repeats every second; the request is the one for all
electrical registers of a BL0942 at its usual rate; what makes applications reset is bk-boot/hosts; boot messages
are bk-boot/link. The text of OpenBeken's line imitates its log, and its interval is a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from wattrail.bootrom.constants import BAUD_AT_RESET
from wattrail.errors import ConfigError
from wattrail.twin.bootrom.activity import NEVER

__all__ = ["APPLICATIONS", "Application", "BootMessages", "FirmwareUart", "application_of", "messages_of"]


@dataclass(frozen=True, slots=True)
class Application:
    """One make. It sends ``text`` on UART1 at ``baud`` every ``every_s``; any of ``reboots_on`` makes it reset."""

    reboots_on: tuple[bytes, ...] = ()
    text: bytes = b""
    baud: int = BAUD_AT_RESET
    every_s: float = 1.0


APPLICATIONS: Final[Mapping[str, Application]] = MappingProxyType(
    {
        "stock": Application(),
        # Its serial command line takes the word, and three flashers send it (read in their code).
        "openbeken": Application((b"reboot\r", b"reboot\n"), b"Info:MAIN:Time 60, idle 0/s, free 75000\r\n"),
        # LibreTiny watches the line for a LinkCheck and restarts by itself.
        "libretiny": Application((b"\x01\xe0\xfc\x01\x00",)),
        # The frame that the oldest flasher sends first: meant for running firmware, no responder answers it.
        "beken": Application((b"\x01\xe0\xfc\x05\xfe\x95\x27\x95\x27",)),
        # A module without an answer repeats this heartbeat; Tuya products share the flashing UART with their MCU.
        "tuyamcu": Application(text=bytes.fromhex("55 AA 00 00 00 00 FF"), baud=9600),
        # Asked for a whole packet, as a plug does whose chip hangs on the flashing UART.
        "bl0942": Application(text=bytes.fromhex("58 AA"), baud=4800),
    }
)
"""Applications by their make. A stock one without a TuyaMCU neither sends nor obeys."""


def application_of(name: str | None) -> Application:
    """The application of that name, a stock one for None. Raises ConfigError."""
    if name is not None and name not in APPLICATIONS:
        raise ConfigError(f"no application {name!r}", hint=f"known are {', '.join(APPLICATIONS)}")
    return APPLICATIONS[name or "stock"]


_MAX_RECEIVED: Final = 64
"""Bytes from the host that an application remembers."""


class FirmwareUart:
    """The UART of a running application. ``next_at``: when it next sends something, NEVER if it does not."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.next_at = NEVER
        self._running = False
        self._received = b""

    def start(self, now: float) -> None:
        """The application starts."""
        self._running, self._received = True, b""
        if self.application.text:
            self.next_at = now + self.application.every_s

    def take_text(self) -> bytes:
        """What it sends at ``next_at``."""
        self.next_at += self.application.every_s
        return self.application.text

    def resets_on(self, data: bytes) -> bool:
        """Whether these bytes from the host make the application reset the chip."""
        self._received = (self._received + data)[-_MAX_RECEIVED:]
        return self._running and any(text in self._received for text in self.application.reboots_on)

    def stop(self) -> None:
        """The application stops."""
        self._running = False
        self.next_at = NEVER


@dataclass(frozen=True, slots=True)
class BootMessages:
    """Sent on the log UART at 115200: when the bootloader of a T begins to listen, and when an application starts."""

    listening: bytes
    starting: bytes


def messages_of(chip: str, version: str | None) -> BootMessages:
    """A chip's boot messages. The ROM of an N or M sends none; the bootloader in its flash does when it runs."""
    if chip == "T":
        return BootMessages(f"V:{version}\r\n".encode() if version else b"", b"J 0x10000\r\n")
    if chip == "M":
        return BootMessages(b"", b"BK7231n_1.0.11\r\ngo os_addr(0x10000)\r\n")
    return BootMessages(b"", b"V:BK7231N_1.0.1\r\nJ 0x10000\r\n")
