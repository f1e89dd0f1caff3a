"""What docs/emulator.md shows a firmware project: the example runs, the recipe for CI is YAML with its parts."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.twin_cbu.conftest import flash_with
from wattrail.image.code import TUYA_KEY

PAGE = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The first of that language; the second Python one needs a genuine image, as ``make firmware`` does."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_of_the_page_runs_as_it_stands(
    compiled: Callable[..., bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "firmware.bin").write_bytes(bytes(flash_with(compiled("board"), TUYA_KEY).data))
    monkeypatch.chdir(tmp_path)

    exec(compile(block("python"), "docs/emulator.md", "exec"), {})

    assert re.fullmatch(r"voltage [0-9a-f]{8} 115\.0", capsys.readouterr().out.strip())


def test_the_recipe_for_ci_parses_and_installs_what_it_needs() -> None:
    recipe = yaml.safe_load(block("yaml"))
    steps = recipe["jobs"]["board"]["steps"]
    said = "\n".join(step.get("run", "") for step in steps)

    assert "libslirp0" in said
    assert "wattrail[twin,emulate]" in said


def test_asking_for_a_twin_does_not_load_the_emulator() -> None:
    code = (
        "import sys, wattrail.twin; assert 'unicorn' not in sys.modules; "
        "wattrail.twin.Board; print('unicorn' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "True\n"
