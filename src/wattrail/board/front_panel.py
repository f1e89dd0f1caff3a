"""What the button and the LED of a board do: gestures by how long a button is held, and patterns of light by state.

A pattern is a text: ``on``, ``off``, or pairs of milliseconds lit and dark, ``120/120 120/1000``, which repeat.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["FrontPanel", "LedPattern", "LedPulse", "PanelAction", "PanelGesture", "PanelState", "parse_pattern"]

_PAIR: Final = re.compile(r"(\d{1,5})/(\d{1,5})")
_MIN_MS: Final = 20
"""The scripts of both firmwares advance in steps of about this."""

_MAX_PULSES: Final = 8
_STEADY_MS: Final = 500
"""How long a steady light is left alone before the states are looked at again."""


class PanelAction(StrEnum):
    """What a gesture does."""

    TOGGLE_DISPLAY = "toggle_display"
    WIFI_SETUP = "wifi_setup"
    FACTORY_RESET = "factory_reset"


class PanelState(StrEnum):
    """What the LED can show; the first that holds is shown."""

    RESET_WARNING = "reset_warning"
    WIFI_SETUP = "wifi_setup"
    WIFI_CONNECTING = "wifi_connecting"
    ERROR = "error"
    BLE = "ble"
    METER = "meter"
    POWER = "power"


@dataclass(frozen=True, slots=True)
class PanelGesture:
    """Holding the button for at least ``min_s`` seconds; the last ``warn_s`` before are a warning."""

    action: PanelAction
    min_s: float
    warn_s: float = 0.0


@dataclass(frozen=True, slots=True)
class LedPulse:
    """Milliseconds lit, then dark."""

    on_ms: int
    off_ms: int


@dataclass(frozen=True, slots=True)
class LedPattern:
    """What the LED does in a state, again and again."""

    state: PanelState
    pulses: tuple[LedPulse, ...]


@dataclass(frozen=True, slots=True)
class FrontPanel:
    """Gestures and patterns, the patterns in the order of their states."""

    gestures: tuple[PanelGesture, ...]
    patterns: tuple[LedPattern, ...]

    def gesture(self, action: PanelAction) -> PanelGesture | None:
        """The gesture of an action."""
        return next((one for one in self.gestures if one.action is action), None)

    def pattern(self, state: PanelState) -> LedPattern | None:
        """The pattern of a state."""
        return next((one for one in self.patterns if one.state is state), None)


def parse_pattern(text: str) -> tuple[LedPulse, ...]:
    """The pulses of a pattern. Raises ValueError for another text."""
    if text in {"on", "off"}:
        return (LedPulse(_STEADY_MS, 0) if text == "on" else LedPulse(0, _STEADY_MS),)
    pairs = [_PAIR.fullmatch(word) for word in text.split()]
    pulses = tuple(LedPulse(int(pair[1]), int(pair[2])) for pair in pairs if pair)
    if not pulses or len(pulses) != len(pairs) or len(pulses) > _MAX_PULSES:
        raise ValueError(f'must be "on", "off" or up to {_MAX_PULSES} pairs like "120/880", in milliseconds')
    if any(0 < length < _MIN_MS for pulse in pulses for length in (pulse.on_ms, pulse.off_ms)):
        raise ValueError(f"must have no time between 0 and {_MIN_MS} ms")
    if sum(pulse.on_ms + pulse.off_ms for pulse in pulses) == 0:
        raise ValueError("must last longer than 0 ms")
    return pulses
