"""What a flasher tells whoever listens, while it works. All are values; a listener must not take long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wattrail.flasher.history import History, Loss, Stage
from wattrail.flasher.target import Target

__all__ = [
    "BackedUp",
    "Coaching",
    "FlashEvent",
    "Identified",
    "Linked",
    "Listener",
    "Lost",
    "Note",
    "Progress",
    "RateChanged",
    "Repeated",
    "Resumed",
    "What",
]

What = Literal["reading", "comparing", "writing", "checking"]


@dataclass(frozen=True, slots=True)
class Coaching:
    """While the link is being made: what is heard so far, and what to do now, in one line."""

    words: str
    history: History


@dataclass(frozen=True, slots=True)
class Linked:
    """The chip answers. ``baud``: at which rate; ``seconds``: after how long."""

    baud: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Identified:
    """It is known which chip and which flash answer."""

    target: Target


@dataclass(frozen=True, slots=True)
class RateChanged:
    """The conversation goes on at this rate; ``why`` says how it came to that."""

    baud: int
    why: str


@dataclass(frozen=True, slots=True)
class Progress:
    """``done`` of ``total`` bytes of flash."""

    what: What
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Repeated:
    """A question was damaged or not answered, and is asked again."""

    stage: Stage
    why: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The link is gone, and being sought again; ``words`` say what that means as far as it can be told."""

    loss: Loss
    words: str


@dataclass(frozen=True, slots=True)
class BackedUp:
    """The whole flash is in a file, every block of it checked against the chip's own CRC."""

    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """An earlier session on this board did not end; ``backup`` is the one it took, from before its first erase."""

    since: str
    image: str
    backup: Path | None


@dataclass(frozen=True, slots=True)
class Note:
    """Anything else worth a line."""

    words: str


FlashEvent = Coaching | Linked | Identified | RateChanged | Progress | Repeated | Lost | BackedUp | Resumed | Note
Listener = Callable[[FlashEvent], None]
