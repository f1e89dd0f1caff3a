"""The README's own words, run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_runs_and_prints_what_flows(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    assert float(capsys.readouterr().out) == pytest.approx(1150, rel=0.01)


def test_every_target_the_readme_names_is_listed_by_a_bare_make() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in set(re.findall(r"`?make ([a-z]+)`?", README)):
        assert f"make {target}" in listed


def test_importing_wattrail_loads_nothing_beyond_the_standard_library() -> None:
    program = (
        "import sys; before = set(sys.modules); import wattrail; "
        "print(*sorted({m.partition('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert found.split() == ["wattrail"]


def test_the_public_door_is_pinned() -> None:
    import wattrail

    assert wattrail.__all__ == [
        "Calibration",
        "Flasher",
        "FrontEnd",
        "Image",
        "Ledger",
        "ManualClock",
        "Meter",
        "Reading",
        "Register",
        "Snapshot",
        "SystemClock",
        "WattrailError",
        "open_flasher",
        "open_meter",
        "open_port",
        "open_twin",
        "recognise",
    ]
    assert all(getattr(wattrail, name) is not None for name in wattrail.__all__)
    with pytest.raises(AttributeError, match="no attribute 'utils'"):
        _ = wattrail.utils
