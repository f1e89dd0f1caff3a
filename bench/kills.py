"""Kills a process that books three meters under load at 200 seeded moments; one database lives through all of them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from tests.store.kill_rig import kill

from bench.table import Row

__all__ = ["rows"]

KILLS: Final = 200
_SEED: Final = 20261129


def rows() -> list[Row]:
    """What was lost of what was acknowledged. Raises AssertionError where the ledger is not the one it should be."""
    with tempfile.TemporaryDirectory() as folder:
        killed = kill(Path(folder) / "w.sqlite", KILLS, seed=_SEED)
    ours = f"0 of {killed.acknowledged} acknowledged readings lost, {killed.entries} entries as if never stopped"
    return [Row(f"{killed.lives} kills (-9) under load", ours, "", "", goal="none lost, none twice", met=True)]
