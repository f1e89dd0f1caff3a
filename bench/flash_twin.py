"""A chip on a pseudo-terminal, in a process of its own: ``python -m bench.flash_twin IMAGE CHIP``.

It prints its device, and at the end of its input what it saw, as JSON: how long the transfer took, and the CRC-32 of
what the flash then holds. A line of input says that the transfer begins now, for a host that asks before it transfers;
without one it begins with the first command that reads, erases or writes.
"""

from __future__ import annotations

import json
import sys
import time
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Final

from wattrail.twin.bootrom import AT_ONCE, BootTiming, BootTwin
from wattrail.twin.bootrom.serve import serve_boot

CHIPS: Final = {
    "at once": replace(AT_ONCE, pace_requests=True, pace_replies=True),
    "as real": BootTiming(),
}
"""A chip that works in no time behind a wire that takes its own, and one as slow as real ones are thought to be."""

_TRANSFERS: Final = tuple(
    bytes.fromhex(head)
    for head in ("01E0FC FFF4 0500 09", "01E0FC FFF4 0510 07", "01E0FC FFF4 0600 0F", "01E0FC FFF4 0500 0B")
)
"""Heads of the commands that read, write and erase: the first one begins the transfer, the last reply ends it.

Finding the chip, and starting Python, is left out for everybody alike.
"""


class Watch:
    """When the transfer began and ended, by the clock of the chip's process."""

    def __init__(self) -> None:
        self.began: float | None = None
        self.ended = 0.0

    def tap(self, who: str, data: bytes) -> None:
        if who == "chip":
            self.ended = time.perf_counter()
        elif self.began is None and data.startswith(_TRANSFERS):
            self.began = time.perf_counter()

    def mark(self) -> None:
        self.began = time.perf_counter()

    @property
    def seconds(self) -> float:
        return 0.0 if self.began is None else self.ended - self.began


def main(image: str, chip: str) -> None:
    twin, watch = BootTwin("N", image=Path(image).read_bytes(), timing=CHIPS[chip]), Watch()
    with serve_boot(twin, auto_reset=True, tap=watch.tap) as served:
        print(served.path, flush=True)
        for _ in sys.stdin:
            watch.mark()
    print(json.dumps({"seconds": watch.seconds, "crc": zlib.crc32(twin.flash.data)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
