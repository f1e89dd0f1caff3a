"""What a chip is doing, and what that draws."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from wattrail.twin.bootrom.deeds import Kind, Step

__all__ = ["Phase", "activity_of"]


class Phase(Enum):
    """What the chip is doing."""

    OFF = "off"
    STARTING = "starting"
    WINDOW = "listening"
    APP = "application"
    LINKED = "download mode"


_PHASES: Final[Mapping[Phase, str]] = MappingProxyType(
    {
        Phase.OFF: "in reset",
        Phase.STARTING: "starting",
        Phase.WINDOW: "listening",
        Phase.LINKED: "waiting",
        Phase.APP: "booting",
    }
)
_STEPS: Final[Mapping[Kind, str]] = MappingProxyType(
    {"page": "programming", "erase": "erasing", "crc": "checking", "rate": "changing rate", "send": "sending"}
)


def activity_of(doing: Phase | Step) -> str:
    """The line of the supply's table: of a step if it has one of its own, else of the phase."""
    return _PHASES[doing] if isinstance(doing, Phase) else _STEPS[doing.kind]
