"""The electrical registers, together."""

from __future__ import annotations

from dataclasses import dataclass

from wattrail.chips.bl0942.registers import UNKNOWN, V_ZX_LOW

__all__ = ["Snapshot"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Counts of the electrical registers as one look at the chip gave them.

    ``i_fast_rms`` is None over SPI, where it is not part of the routine look.
    """

    i_rms: int
    v_rms: int
    watt: int
    cf_cnt: int
    freq: int
    status: int
    i_fast_rms: int | None = None

    @property
    def sees_mains(self) -> bool:
        """The voltage is high enough for its zero crossings, hence FREQ, to mean something."""
        return not V_ZX_LOW.get(self.status)

    @property
    def held(self) -> tuple[int, int, int, int]:
        """What stays the same between two looks within one refresh: I_RMS, V_RMS, WATT and the known STATUS bits."""
        return self.i_rms, self.v_rms, self.watt, self.status & ~UNKNOWN.mask
