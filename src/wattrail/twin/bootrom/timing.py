"""How long the chip takes for its work. All times are in seconds, and all can be set.

Nobody has published a measurement. Each default is a guess in the range of such parts, inside the deadlines of every
host that is known to work: ``tests/twin_bootrom/hosts.py`` lists those, each with the place in its host's source, and a
test compares the defaults with them. Source: bk-boot/timing.
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
    its download mode. ``ring``: bytes its receiver holds while it works. ``byte_gap_s``: a longer gap inside a frame
    makes the receiver start over; None, as in the bootloader, waits for ever.

    ``pace_requests`` and ``pace_replies``: whether bytes take their time on the wire. A pseudo-terminal takes a
    host's bytes at once and lets its deadline run from there; with unpaced requests the deadlines of such a host hold.
    """

    # guess: oscillator and start-up code; a host sends LinkCheck for ten seconds
    ready_s: float = 0.005
    # guess: hosts that send LinkCheck for 1.0 s link with a reset by hand
    window_s: float = 0.2
    # read in a disassembly of BK7231S_1.0.5 as counts of loops; seconds are estimated from them
    idle_window_s: float = 0.05
    noisy_window_s: float = 0.8
    quiet_s: float = 5.0
    # guess: a few thousand instructions
    command_s: float = 0.0002
    # guess: 0.4 to 0.7 ms is usual for such a flash; at 2 Mbaud it must stay below the 1.28 ms of a page on the wire
    page_s: float = 0.0007
    # guesses: usual for such a flash; every host allows an erase 1 s
    erase_4k_s: float = 0.045
    erase_32k_s: float = 0.15
    erase_64k_s: float = 0.25
    # guess: ReadSR is polled for it
    erase_mib_s: float = 3.0
    # guess: usual for such a flash; two hosts allow 50 ms
    status_s: float = 0.005
    # guess: two hosts allow the 2 MiB of a flash 5.0 s, which is 2.38 us a byte; a third reckons with 2.5
    crc_byte_s: float = 2.0e-6
    # read in the same disassembly; in the ROM a guess
    ring: int = 512
    # None is read there; in the ROM a guess
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
"""A chip and a wire that take no time; the listening windows stay."""
