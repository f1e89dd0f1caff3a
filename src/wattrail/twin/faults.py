"""What can go wrong between a meter and its reader, as calls: on the line, in the chip, around the conductor."""

from __future__ import annotations

from typing import Protocol

from wattrail.twin.chip import MeterChip
from wattrail.twin.line_faults import LineFaults

__all__ = ["Faults"]


class _FaultyTwin(Protocol):
    """What the faults act on besides bytes."""

    def brown_out(self) -> None: ...
    def reverse_transformer(self, reversed_: bool) -> None: ...


class Faults(LineFaults):
    """All faults of one twin."""

    def __init__(self, twin: _FaultyTwin, chip: MeterChip, seed: int) -> None:
        super().__init__(seed)
        self._twin = twin
        self._chip = chip

    # ---- until switched off

    def stick_volts(self, count: int | None = 0) -> None:
        """V_RMS reads that count; None lets it follow the mains again."""
        self._chip.stick(self._chip.array.registers.V_RMS, count)

    def freeze_frequency(self, on: bool = True) -> None:
        """The register of the line frequency keeps its count. Raises ValueError for a chip that has none."""
        register = self._chip.array.frequency
        if register is None:
            raise ValueError("this chip has no register of the line frequency")
        self._chip.stick(register, self._chip.peek(register) if on else None)

    def reverse_transformer(self, on: bool = True) -> None:
        """The conductor passes the transformer the wrong way: import looks like export."""
        self._twin.reverse_transformer(on)

    # ---- once, now

    def brown_out(self) -> None:
        """The supply drops below 2.7 V and comes back: as power-on."""
        self._twin.brown_out()

    def counter_reset(self) -> None:
        """CF_CNT falls to 0 by itself and nothing else changes (esphome/esphome #15280)."""
        self._chip.poke(self._chip.array.registers.CF_CNT, 0)

    # ---- for the engines

    def request(self, data: bytes) -> bytes:
        """What of the host's bytes arrives at the chip; nothing while it is silent or unplugged."""
        return b"" if self._silent or self.unplugged else super().request(data)
