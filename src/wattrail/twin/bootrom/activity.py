"""What a chip does: its phase, the steps a command leads to and the time they take, and the response at their end."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from wattrail.twin.bootrom.faults import BootFaults
from wattrail.twin.bootrom.flash import NorFlash
from wattrail.twin.bootrom.timing import BootTiming

__all__ = [
    "NEVER",
    "BootPhase",
    "Response",
    "StepKind",
    "StepQueue",
    "WorkStep",
    "erase_step",
    "long_reply",
    "page_step",
    "short_reply",
]

NEVER: Final = math.inf
"""The time of an event that is not due. All times are the twin's seconds."""


class BootPhase(Enum):
    """What the chip is doing."""

    OFF = "off"
    STARTING = "starting"
    WINDOW = "listening"
    APP = "application"
    LINKED = "download mode"


StepKind = Literal["page", "erase", "crc", "rate", "send", "other"]


def _do_nothing() -> None: ...


def _unharmed(fraction: float) -> None: ...


@dataclass(frozen=True, slots=True)
class WorkStep:
    """A span of work. ``act`` runs at its end; ``torn`` runs instead, with the fraction done, if the power fails."""

    seconds: float
    act: Callable[[], None] = _do_nothing
    torn: Callable[[float], None] = _unharmed
    kind: StepKind = "other"


def page_step(flash: NorFlash, timing: BootTiming, address: int, data: bytes) -> WorkStep:
    """Program a page or less."""
    return WorkStep(
        timing.page_s,
        lambda: flash.program(address, data),
        lambda fraction: flash.tear_program(address, data, fraction),
        "page",
    )


def erase_step(flash: NorFlash, timing: BootTiming, address: int, span: int) -> WorkStep:
    """Erase one unit."""
    return WorkStep(
        timing.erase_s(span),
        lambda: flash.erase(address, span),
        lambda fraction: flash.tear_erase(address, span, fraction),
        "erase",
    )


@dataclass(frozen=True, slots=True)
class Response:
    """All that follows a command: ``wait_s`` for a busy flash, then the steps, then the reply.

    ``baud``: the new rate, at once. ``links``: the download mode begins. ``reboots``: "app" starts the application,
    "reset" restarts the chip.
    """

    steps: tuple[WorkStep, ...] = ()
    reply: bytes = b""
    baud: int | None = None
    links: bool = False
    reboots: Literal["app", "reset"] | None = None
    wait_s: float = 0.0


# No checksum, no sequence number, no escape: a host that wants to be sure compares the echo, and asks for a CRC.
def short_reply(opcode: int, payload: bytes) -> bytes:
    """A short reply frame."""
    return bytes((0x04, 0x0E, len(payload) + 4, 0x01, 0xE0, 0xFC, opcode)) + payload


def long_reply(opcode: int, status: int, payload: bytes) -> bytes:
    """A long reply frame."""
    head = b"\x04\x0e\xff\x01\xe0\xfc\xf4" + (len(payload) + 2).to_bytes(2, "little")
    return head + bytes((opcode, status)) + payload


class StepQueue:
    """The steps of one chip, one after the other; the supply may fail in the middle of one."""

    def __init__(self, faults: BootFaults) -> None:
        self._faults = faults
        self._steps: deque[WorkStep] = deque()
        self._began = 0.0
        self.ends = NEVER
        self.fails_at = NEVER
        self.power_returns = True

    def __bool__(self) -> bool:
        """Whether the chip is busy."""
        return bool(self._steps)

    @property
    def current(self) -> WorkStep | None:
        """The step under way."""
        return self._steps[0] if self._steps else None

    def start(self, step: WorkStep, now: float) -> None:
        """Add a step at the end; it begins now if no other is waiting."""
        self._steps.append(step)
        if len(self._steps) == 1:
            self._begin(now)

    def append(self, *steps: WorkStep) -> None:
        """Add steps at the end, from within a step's act."""
        self._steps.extend(steps)

    def insert(self, step: WorkStep) -> None:
        """Add a step in front of the others, from within a step's act."""
        self._steps.appendleft(step)

    def finish(self, now: float) -> None:
        """The step under way is done: carry it out and begin the next."""
        step = self._steps.popleft()
        self.ends = NEVER
        step.act()
        if self._steps and self.ends == NEVER:
            self._begin(now)

    def tear(self, now: float) -> None:
        """The supply failed: the step under way is torn, the others are dropped."""
        if self._steps and self.ends != NEVER:
            step = self._steps[0]
            part = (now - self._began) / step.seconds if step.seconds else 0.0
            step.torn(min(max(part, 0.0), 1.0))
        self.clear()

    def clear(self) -> None:
        """Drop all steps."""
        self._steps.clear()
        self.ends = self.fails_at = NEVER

    def _begin(self, now: float) -> None:
        step = self._steps[0]
        self._began, self.ends = now, now + step.seconds
        returns = self._faults.power_failure(step.kind)
        if returns is not None:
            self.fails_at, self.power_returns = now + step.seconds / 2, returns
