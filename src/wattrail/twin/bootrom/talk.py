"""What a BK7231 says of its own accord: the application on UART1, boot messages on the log UART.

Sources: the heartbeat is TuyaMCU's first frame, which a module repeats every second; the request is the one for all
electrical registers of a BL0942 at its usual rate; what makes applications reset is bk-boot/hosts; boot messages
are bk-boot/link. The text of OpenBeken's line is in its manner, and its interval a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from wattrail.bootrom.constants import BAUD_AT_RESET
from wattrail.errors import ConfigError
from wattrail.twin.bootrom.work import NEVER

__all__ = ["APPLICATIONS", "Application", "Messages", "Voice", "application_of", "messages_of"]


@dataclass(frozen=True, slots=True)
class Application:
    """One make. ``says`` goes out on UART1 at ``baud`` every ``every_s``; texts of ``reboots_on`` make it reset."""

    reboots_on: tuple[bytes, ...] = ()
    says: bytes = b""
    baud: int = BAUD_AT_RESET
    every_s: float = 1.0


APPLICATIONS: Final[Mapping[str, Application]] = MappingProxyType(
    {
        "stock": Application(),
        "openbeken": Application((b"reboot\r", b"reboot\n"), b"Info:MAIN:Time 60, idle 0/s, free 75000\r\n"),
        "libretiny": Application((b"\x01\xe0\xfc\x01\x00",)),
        "beken": Application((b"\x01\xe0\xfc\x05\xfe\x95\x27\x95\x27",)),
        "tuyamcu": Application(says=bytes.fromhex("55 AA 00 00 00 00 FF"), baud=9600),
        "bl0942": Application(says=bytes.fromhex("58 AA"), baud=4800),
    }
)
"""Applications by their make. A stock one that has nobody to talk to is silent and deaf."""


def application_of(name: str | None) -> Application:
    """The application of that name, a stock one for None. Raises ConfigError."""
    if name is not None and name not in APPLICATIONS:
        raise ConfigError(f"no application {name!r}", hint=f"known are {', '.join(APPLICATIONS)}")
    return APPLICATIONS[name or "stock"]


_EARS: Final = 64
"""Bytes of what the host says that an application remembers."""


class Voice:
    """An application while it runs. ``next_at``: when it next says something, NEVER if it does not."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.next_at = NEVER
        self._runs = False
        self._heard = b""

    def begin(self, now: float) -> None:
        """The application starts."""
        self._runs, self._heard = True, b""
        if self.application.says:
            self.next_at = now + self.application.every_s

    def speak(self) -> bytes:
        """It is time."""
        self.next_at += self.application.every_s
        return self.application.says

    def hears(self, data: bytes) -> bool:
        """The host has said this: whether it makes the application reset the chip."""
        self._heard = (self._heard + data)[-_EARS:]
        return self._runs and any(text in self._heard for text in self.application.reboots_on)

    def stop(self) -> None:
        """The application is gone."""
        self._runs = False
        self.next_at = NEVER


@dataclass(frozen=True, slots=True)
class Messages:
    """On the log UART, at 115200: when the bootloader of a T begins to listen, and when an application is started."""

    listening: bytes
    starting: bytes


def messages_of(chip: str, version: str | None) -> Messages:
    """A chip's boot messages. The ROM of an N or M says nothing; the bootloader in its flash does, once it runs."""
    if chip == "T":
        return Messages(f"V:{version}\r\n".encode() if version else b"", b"J 0x10000\r\n")
    if chip == "M":
        return Messages(b"", b"BK7231n_1.0.11\r\ngo os_addr(0x10000)\r\n")
    return Messages(b"", b"V:BK7231N_1.0.1\r\nJ 0x10000\r\n")
