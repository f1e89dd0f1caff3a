"""What a command makes the chip do: steps that take time and can be torn, and the reply at their end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from wattrail.twin.bootrom.flash import NorFlash
from wattrail.twin.bootrom.receiver import Heard, Page
from wattrail.twin.bootrom.timing import BootTiming

__all__ = ["Deed", "Responding", "Step", "erase_step", "long_reply", "page_step", "short_reply"]

Kind = Literal["page", "erase", "crc", "rate", "send", "other"]


def _nothing() -> None: ...


def _unharmed(fraction: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Step:
    """A stretch of the chip's time. ``act`` at its end; ``torn`` instead, with the part done, if the power goes."""

    seconds: float
    act: Callable[[], None] = _nothing
    torn: Callable[[float], None] = _unharmed
    kind: Kind = "other"


@dataclass(frozen=True, slots=True)
class Deed:
    """All that follows a command. ``baud``: the new rate, at once. ``links``: the download mode begins.

    ``reboots``: "app" starts the application, "reset" starts the chip anew.
    """

    steps: tuple[Step, ...] = ()
    reply: bytes = b""
    baud: int | None = None
    links: bool = False
    reboots: Literal["app", "reset"] | None = None
    wait_s: float = field(default=0.0)


class Responding(Protocol):
    """A responder: commands in, deeds out. It answers None to what it does not know."""

    has_watchdog: bool
    """Whether bytes keep it listening, and silence ends its download mode."""

    def handle(self, heard: Heard, now: float) -> Deed | None:
        """What a command leads to."""
        ...

    def page(self, page: Page, now: float) -> tuple[Step, ...]:
        """What a page of a write that is still coming in leads to."""
        ...

    def alive(self) -> bool:
        """Whether it would start after a reset."""
        ...

    def restart(self) -> None:
        """As after a reset."""
        ...


def short_reply(opcode: int, payload: bytes) -> bytes:
    """A short reply frame."""
    return bytes((0x04, 0x0E, len(payload) + 4, 0x01, 0xE0, 0xFC, opcode)) + payload


def long_reply(opcode: int, status: int, payload: bytes) -> bytes:
    """A long reply frame."""
    head = b"\x04\x0e\xff\x01\xe0\xfc\xf4" + (len(payload) + 2).to_bytes(2, "little")
    return head + bytes((opcode, status)) + payload


def page_step(flash: NorFlash, timing: BootTiming, address: int, data: bytes) -> Step:
    """Program a page or less."""
    return Step(
        timing.page_s,
        lambda: flash.program(address, data),
        lambda fraction: flash.tear_program(address, data, fraction),
        "page",
    )


def erase_step(flash: NorFlash, timing: BootTiming, address: int, span: int) -> Step:
    """Erase one unit."""
    return Step(
        timing.erase_s(span),
        lambda: flash.erase(address, span),
        lambda fraction: flash.tear_erase(address, span, fraction),
        "erase",
    )
