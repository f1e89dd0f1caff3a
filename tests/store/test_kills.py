"""A process that books under load is killed at any moment: what was acknowledged is there, and nothing is twice."""

from __future__ import annotations

from pathlib import Path

from tests.store.kill_rig import kill


def test_twenty_kills_under_load_leave_the_ledger_that_never_stopped(tmp_path: Path) -> None:
    killed = kill(tmp_path / "w.sqlite", 20, seed=20261129)
    assert killed.lives == 20
    assert killed.acknowledged > 300
    assert killed.entries > 3
