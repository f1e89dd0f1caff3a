"""One request and its reply at a time, over a port, by the boot protocol's core. It knows deadlines and no policy.

The code key and the content of a flash are never logged: a dump holds an owner's Wi-Fi password and the keys of a
cloud, and with the code key all code can be read. Somebody may publish a log to be helped.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from wattrail.bootrom.commands import (
    FLASH_READ,
    FLASH_WRITE,
    LINK_CHECK,
    READ_4K,
    READ_REG,
    SET_BAUD,
    WRITE_4K,
    Command,
    Responder,
)
from wattrail.bootrom.constants import BAUD_AT_RESET, EFUSE_RESULT
from wattrail.bootrom.events import NEED_DATA, Answered, Event, problem
from wattrail.bootrom.link import BootLink
from wattrail.bootrom.requests import DELAY_MS, host_switch_s, reply_after_s, reply_timeout_s, wire_s
from wattrail.clock import Deadline
from wattrail.errors import LinkError, PortTimeout, TargetError
from wattrail.transport import Port, withhold

__all__ = ["FILLER", "BootClient"]

logger = logging.getLogger(__name__)

LATENCY_S: Final = 0.05
"""What an adapter and its driver may add to each exchange; common ones hold bytes back for 1 to 16 ms."""

NETWORK_LATENCY_S: Final = 0.6
"""The same for a bridge on a network: 0.25 to 0.3 s is usual over Wi-Fi (esp-link #275, ESPEasy #4983)."""

QUIET_S: Final = 0.02
"""Silence after which nothing more of an earlier answer is under way."""

_MAX_DRAIN_S: Final = 1.0
"""Longest wait for that silence: a second device on the wire may never be silent."""

FILLER: Final = bytes(4108)
"""Fills up a receiver that waits for the rest of a Write4K, whatever it missed. Source: bk-boot/loader-1."""


class BootClient:
    """One chip on one port. ``baud`` is the rate both have, as far as the host knows; ``network``: over a bridge."""

    def __init__(self, port: Port, *, network: bool = False) -> None:
        self._port = port
        self._latency_s = NETWORK_LATENCY_S if network else LATENCY_S
        self._quiet_s = NETWORK_LATENCY_S if network else QUIET_S
        self._link = BootLink()
        self.baud = BAUD_AT_RESET

    @property
    def port(self) -> Port:
        """The port it speaks through."""
        return self._port

    def move_to(self, port: Port) -> None:
        """Continue over another port: the cable was pulled and is back."""
        self._port, self._link = port, BootLink()

    def set_host_rate(self, baud: int) -> None:
        """Change the host's rate alone. Raises PortError where the adapter refuses it."""
        self._port.set_baud(baud)
        self.baud = baud

    def request(
        self, command: Command, data: bytes = b"", *, length: int = 0, erase: int | None = None, **fields: int
    ) -> Answered:
        """One request, one reply. Raises LinkError, TargetError for a refusal, PortLost.

        ``length`` is what a CRC covers, ``erase`` the code of an erase's size: both stretch the deadline.
        """
        request = self._link.request(command, data, **fields)
        secret = self._send(request, command, data, fields)
        # Counted from the end of the write call, when most bytes of a sector are still in the kernel: 357 ms at 115200.
        # A flasher that allows 50 ms from there fails at low rates. Source: bk-boot/hosts.
        wait = self._latency_s + reply_timeout_s(command, self.baud, sent=len(request), length=length, erase=erase)
        event = self._await(Deadline.after(wait, self._port.clock))
        if (error := problem(command, event, secret=secret)) is not None:
            logger.debug("<- %s: no answer to go by: %s", command, type(event).__name__)
            raise error
        if not isinstance(event, Answered):  # pragma: no cover - every other event is a problem
            raise TypeError(f"{command}: {event} is neither an answer nor a problem")
        # What went wrong before may have left bytes of a secret under way; with a whole answer they have gone by.
        withhold(self._port, "")
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("<- %s %s", command, f"(not shown: {secret})" if secret else _words(event.fields, event.data))
        return event

    def _send(self, request: bytes, command: Command, data: bytes, fields: Mapping[str, int]) -> str:
        """Write a request; returns what of its answer must not be logged, "" for nothing."""
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("-> %s %s", command, _words(fields, data))
        secret = _secret_of(command, fields)
        if secret and data:
            withhold(self._port, secret)
        self._port.write(request)
        if secret:
            withhold(self._port, secret)
        return secret

    def answers(self, times: int = 1) -> bool:
        """Whether the chip answers that many LinkChecks in a row."""
        try:
            for _ in range(times):
                self.request(LINK_CHECK)
        except (LinkError, TargetError):  # "system error" does not answer a LinkCheck
            return False
        return True

    def drain_until_quiet(self) -> bytes:
        """Read until the line is quiet, for a second at most; returns what came."""
        end = Deadline.after(_MAX_DRAIN_S, self._port.clock)
        heard = bytearray()
        while not end.passed:
            try:
                heard += self._port.read(Deadline.after(self._quiet_s, self._port.clock))
            except PortTimeout:
                break
        return bytes(heard)

    def listen(self, seconds: float) -> bytes:
        """Everything that comes in that time."""
        end, heard = Deadline.after(seconds, self._port.clock), bytearray()
        while not end.passed:
            try:
                heard += self._port.read(end)
            except PortTimeout:
                break
        return bytes(heard)

    def resync(self) -> bool:
        """Find the chip again at the present rate: let it finish, then fill up whatever it still waits for."""
        for filler in (b"", FILLER):
            if filler:
                self._port.write(filler)
                self._port.clock.sleep(wire_s(len(filler), self.baud))
            # A receiver that lost a byte of a Write4K has no time-out: it swallows requests until the body is full.
            self.drain_until_quiet()
            if self.answers() or self.answers():
                self.drain_until_quiet()
                return True
        return False

    def change_rate(self, baud: int) -> bool:
        """Change the rate of the chip, then of the host; whether the reply came at the new rate."""
        logger.info("rate %d baud: trying it", baud)
        request = self._link.request(SET_BAUD, baud=baud, delay_ms=DELAY_MS)
        self._port.write(request)
        self._port.clock.sleep(wire_s(len(request), self.baud) + host_switch_s(DELAY_MS))
        # The chip has changed by now, and replies at the new rate: a host that waits first never hears it.
        self.set_host_rate(baud)
        late = reply_after_s(DELAY_MS, Responder.BOOTLOADER)  # the slower of the two
        # The loader counts the delay in ticks of 2 ms: 20 become 42 ms. Source: bk-boot/loader-1.
        wait = self._latency_s + late + reply_timeout_s(SET_BAUD, baud)
        return problem(SET_BAUD, self._await(Deadline.after(wait, self._port.clock))) is None

    def _await(self, deadline: Deadline) -> Event:
        while True:
            event = self._link.next_event()
            if event is not NEED_DATA:
                return event
            try:
                self._link.receive(self._port.read(deadline))
            except PortTimeout:
                return self._link.end()


_CONTENT: Final = (READ_4K, WRITE_4K, FLASH_READ, FLASH_WRITE)


def _secret_of(command: Command, fields: Mapping[str, int]) -> str:
    """Why the bytes of an exchange must not be logged, "" if they may be."""
    if command is READ_REG and fields.get("address") == EFUSE_RESULT:
        return "a byte of the code key"
    return "what the flash holds" if command in _CONTENT else ""


def _words(fields: Mapping[str, int], data: bytes) -> str:
    """Fields by name, and how much data came with them."""
    named = [f"{name}={value:#x}" for name, value in fields.items()]
    return " ".join([*named, *([f"({len(data)} bytes of data)"] if data else [])])
