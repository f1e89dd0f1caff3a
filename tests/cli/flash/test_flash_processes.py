"""The command as a process, on a terminal device of the system with a twin at its other end. Every wait is bounded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.flash.conftest import board, written
from tests.cli.test_processes import LONGEST_S, line_with, started
from wattrail.twin.bootrom import AT_ONCE, BootTwin
from wattrail.twin.bootrom.serve import serve_boot


def say(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wattrail", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST_S)


@pytest.mark.parametrize("chip", ["N", "T"])
def test_a_served_board_is_identified_written_and_verified(chip: str, home: Path) -> None:
    before, image = board(chip).dump, board(chip, 2).qio
    Path("new.bin").write_bytes(image)
    twin = BootTwin(chip, image=before, timing=AT_ONCE)  # type: ignore[arg-type]
    with serve_boot(twin, auto_reset=True) as served:
        known = json.loads(say("flash", "info", served.url, "--json").stdout)
        assert (known["chip"], known["simulated"]) == (f"BK7231{chip}", True)

        wrote = say("flash", "write", f"{served.path}?simulated=yes", "new.bin")
        assert (wrote.returncode, "new.bin: done and verified" in wrote.stdout) == (0, True), wrote.stderr
        assert twin.flash.data == written(chip)
        (kept,) = (home / "data/wattrail/boards/simulated").glob("*/backup-*-simulated.bin")
        assert kept.read_bytes() == before

        proof = say("flash", "verify", served.url, "new.bin", "--baud", "115200")
        assert (proof.returncode, "differ" in proof.stdout) == (0, False), proof.stderr


def test_a_process_that_is_killed_leaves_a_write_to_resume() -> None:
    Path("new.bin").write_bytes(board("N", 2).qio)
    slow_to_erase = replace(AT_ONCE, erase_4k_s=0.1, erase_32k_s=0.3, erase_64k_s=0.5)
    twin = BootTwin("N", image=board("N").dump, timing=slow_to_erase)
    with serve_boot(twin, auto_reset=True) as served:
        with started("flash", "write", served.url, "new.bin", "--backup", "stock.bin") as process:
            line_with(process.stderr, "writing")
            process.send_signal(signal.SIGKILL)
            process.wait(LONGEST_S)
        assert twin.flash.data != written()
        again = say("flash", "write", served.url, "new.bin", "--json")
    assert (again.returncode, json.loads(again.stdout)["resumed"]) == (0, True), again.stderr
    assert twin.flash.data == written()
    assert json.loads(again.stdout)["backup"] == os.fspath(Path("stock.bin").resolve())


def test_ctrl_c_ends_a_process_without_a_traceback() -> None:
    twin = BootTwin("N", image=board("N").dump)
    with (
        serve_boot(twin, auto_reset=True) as served,
        started("flash", "read", served.url, "dump.bin") as process,
    ):
        line_with(process.stderr, "reading")
        process.send_signal(signal.SIGINT)
        assert process.wait(LONGEST_S) == 130
        assert process.stderr is not None
        shown = process.stderr.read()
    assert "stopped. Nothing in flash was changed. What was read is kept in dump.bin.part" in shown
    assert "Traceback" not in shown
