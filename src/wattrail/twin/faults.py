"""What can go wrong between a meter and its reader, as calls: on the line, in the chip, around the conductor."""

from __future__ import annotations

from typing import Protocol

from wattrail.chips.bl0942.registers import CF_CNT, FREQ, V_RMS
from wattrail.twin.chip import Chip
from wattrail.twin.line_faults import LineFaults

__all__ = ["Faults"]


class _Victim(Protocol):
    """What the faults act on besides bytes."""

    def brown_out(self) -> None: ...
    def reverse_transformer(self, reversed_: bool) -> None: ...


class Faults(LineFaults):
    """All faults of one twin."""

    def __init__(self, twin: _Victim, chip: Chip, seed: int) -> None:
        super().__init__(seed)
        self._twin = twin
        self._chip = chip

    # ---- until told otherwise

    def stick_volts(self, count: int | None = 0) -> None:
        """V_RMS reads that count; None heals it."""
        self._chip.stick(V_RMS, count)

    def freeze_frequency(self, on: bool = True) -> None:
        """FREQ keeps the count it has."""
        self._chip.stick(FREQ, self._chip.peek(FREQ) if on else None)

    def reverse_transformer(self, on: bool = True) -> None:
        """The conductor passes the transformer the wrong way: import looks like export."""
        self._twin.reverse_transformer(on)

    # ---- once, now

    def brown_out(self) -> None:
        """The supply drops below 2.7 V and comes back: as power-on."""
        self._twin.brown_out()

    def counter_reset(self) -> None:
        """CF_CNT falls to 0 by itself and nothing else changes (esphome/esphome #15280)."""
        self._chip.poke(CF_CNT, 0)

    # ---- for the engines

    def request(self, data: bytes) -> bytes:
        """What of the host's bytes arrives at the chip; a silent or unplugged one hears nothing."""
        return b"" if self._silent or self.unplugged else super().request(data)
