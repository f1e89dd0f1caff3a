"""Other people's flashers as a person starts them: commands of their own, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LONGEST_S = 180.0
LINES = Path(__file__).parent / "no_modem_lines"


@dataclass(frozen=True)
class Peer:
    """One flasher: its module, and the words it takes for each wish."""

    module: str
    info: str
    read: str
    write: str

    def say(self, words: str, *, longest_s: float = LONGEST_S, **blanks: object) -> str:
        """Run it to its end; everything it printed. A peer that fails or hangs fails the test."""
        command = [sys.executable, "-m", self.module, *(word.format(**blanks) for word in words.split())]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=longest_s, env=os.environ | _SURROUNDINGS
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


_SURROUNDINGS: Final = {"PYTHONPATH": str(LINES), "PYTHONIOENCODING": "utf-8"}

PEERS: Final = {
    "bk7231tools": Peer(
        "bk7231tools",
        info="chip_info -d {device}",
        read="read_flash -d {device} -b {baud} -l {length} {file}",
        write="write_flash -d {device} -b {baud} -s {start} -B {file}",
    ),
    "ltchiptool": Peer(
        "ltchiptool",
        info="flash info {family} -d {device}",
        read="flash read {family} {file} -d {device} -b {baud} -l {length}",
        write="flash write {file} -f {family} -d {device} -b {baud} -s {start}",
    ),
}
FAMILY: Final = {"N": "bk7231n", "M": "bk7231n", "T": "bk7231t"}
"""What ltchiptool calls the chips; it knows no M."""
