"""The longer run: it counts, it keeps what broke a promise, it tells a hang."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz import runner
from tests.fuzz.__main__ import main, try_properties
from tests.fuzz.targets import TARGETS, Target

ROOT = Path(__file__).parents[2]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[bytes], None]], None]:
    """Put a function of one's own in the place of a target."""

    def put(function: Callable[[bytes], None]) -> None:
        monkeypatch.setattr(runner, "TARGETS", {"uf2": Target(function, TARGETS["uf2"].seeds, 4096)})

    return put


def test_a_run_tells_how_often_each_target_was_executed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["uf2", "efuse", "--seconds", "0.05"], folder=tmp_path) == 0
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()] == ["uf2", "efuse"]
    assert "executions" in said
    assert list(tmp_path.iterdir()) == []


def test_without_a_seed_every_run_tries_others_and_prints_which(capsys: pytest.CaptureFixture[str]) -> None:
    seeds = set()
    for _ in range(3):
        assert main(["uf2", "--seconds", "0.01"]) == 0
        seeds.add(capsys.readouterr().err.rpartition("--seed ")[2].strip())
    assert len(seeds) == 3


def test_property_tests_try_fresh_examples_unless_the_seed_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    tried = tmp_path / "tried"
    monkeypatch.setenv("TRIED", str(tried))
    runs = []
    for seed in (1, 1, 2):
        assert try_properties(seed, "tests/fuzz/property_that_fails.py") == 1
        runs.append(tried.read_text())
        tried.unlink()
    assert runs[0] == runs[1] != runs[2]
    assert "@reproduce_failure(" in capfd.readouterr().out


def test_without_that_profile_every_run_tries_the_same_examples(tmp_path: Path) -> None:
    runs = []
    for turn in range(2):
        tried = tmp_path / str(turn)
        environment = {name: text for name, text in os.environ.items() if name != "HYPOTHESIS_PROFILE"}
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "tests/fuzz/property_that_fails.py"],
            cwd=ROOT, env=environment | {"TRIED": str(tried)}, check=False, capture_output=True,
        )  # fmt: skip
        runs.append(tried.read_text())
    assert runs[0] == runs[1]


def test_an_input_that_breaks_a_promise_is_kept_and_can_be_run_again(broken, capsys, tmp_path: Path) -> None:
    def refuses_long_ones(data: bytes) -> None:
        assert len(data) < 600, "too long for me"

    broken(refuses_long_ones)
    assert main(["uf2", "--seconds", "5"], folder=tmp_path) == 1
    (kept,) = tmp_path.iterdir()
    said = capsys.readouterr().out
    assert "too long for me" in said
    assert f"uf2 breaks its promise: the input is in {kept}" in said
    assert len(bytes.fromhex(kept.read_text())) >= 600
    assert main(["uf2", "--again", str(kept)]) == 0, "the real one keeps its promise for it"


def test_the_same_seed_tries_the_same_inputs(broken, tmp_path: Path) -> None:
    tried: list[list[bytes]] = [[], []]
    for turn in tried:
        broken(lambda data, turn=turn: turn.append(data))
        runner.run("uf2", seconds=0.05, seed=4, folder=tmp_path)
    short = min(map(len, tried))
    assert short > 0
    assert tried[0][:short] == tried[1][:short]


def test_memory_without_bound_is_reported(broken, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    peaks = iter([100] * 60 + [100 + runner.MEMORY + 1])
    monkeypatch.setattr(runner, "_peak_bytes", lambda: next(peaks))
    broken(lambda data: None)
    outcome = runner.run("uf2", seconds=60.0, seed=1, folder=tmp_path)
    assert outcome.executions == 61
    assert "512 MiB more than anything before it" in outcome.trace


def test_a_hang_is_ended_and_its_input_kept(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.fuzz import runner; from tests.fuzz.targets import Target\n"
        "def hangs(data):\n"
        "    while True: pass\n"
        "runner.HANG_S = 0.1\n"
        "runner.TARGETS = {'x': Target(hangs, lambda: [b'seed'], 64)}\n"
        "runner.run('x', seconds=5.0, seed=1, folder=Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "x: no end after 0.1 s" in done.stderr
    assert "in hangs" in done.stderr
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [(["nothing"], "no target nothing; known: image, dump"), (["--again", "x.hex"], "--again needs the one target")],
)
def test_a_command_line_that_makes_no_sense_is_refused(words: list[str], complaint: str, capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert complaint in capsys.readouterr().err
