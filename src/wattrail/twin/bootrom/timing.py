"""How long the chip takes for what it does. All times in seconds; all of them can be set.

Published are only the bootloader's loop counts and a few logs; what stands here are estimates within the limits that
working hosts observe: Write4K acknowledged within 40 ms, a sector erased in 30 to 60 ms, 64 KiB in 150 to 500 ms.
Source: bk-boot/timing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["AT_ONCE", "BootTiming"]


@dataclass(frozen=True, slots=True)
class BootTiming:
    """One chip's times.

    ``ready_s``: from the end of a reset to listening. ``window_s``: how long the boot ROM listens. The bootloader
    listens ``idle_window_s`` on a silent line and ``noisy_window_s`` once a byte has come; ``quiet_s`` of silence end
    its download mode. ``ring``: bytes its receiver holds while it is at work. ``byte_gap_s``: a longer gap inside a
    frame makes the receiver start anew; None, as in the bootloader, waits for ever.

    ``pace_requests`` and ``pace_replies``: whether bytes take their time on the wire. A pseudo-terminal takes a
    host's bytes at once and lets its deadline run from there; with requests unpaced such a host is not cheated.
    """

    ready_s: float = 0.005
    window_s: float = 0.2
    idle_window_s: float = 0.05
    noisy_window_s: float = 0.8
    quiet_s: float = 5.0
    command_s: float = 0.0002
    page_s: float = 0.0007
    erase_4k_s: float = 0.045
    erase_32k_s: float = 0.15
    erase_64k_s: float = 0.25
    erase_mib_s: float = 3.0
    status_s: float = 0.005
    crc_byte_s: float = 2.4e-6
    ring: int = 512
    byte_gap_s: float | None = None
    pace_requests: bool = True
    pace_replies: bool = True

    def erase_s(self, span: int) -> float:
        """How long an erase of that many bytes takes."""
        known = {0x1000: self.erase_4k_s, 0x8000: self.erase_32k_s, 0x10000: self.erase_64k_s}
        return known.get(span, self.erase_mib_s * span / (1 << 20))


AT_ONCE: Final = BootTiming(
    command_s=0.0,
    page_s=0.0,
    erase_4k_s=0.0,
    erase_32k_s=0.0,
    erase_64k_s=0.0,
    erase_mib_s=0.0,
    status_s=0.0,
    crc_byte_s=0.0,
    pace_requests=False,
    pace_replies=False,
)
"""A chip that works in no time behind a wire that takes none; its windows stay."""
