"""What the manual shows is what the command says: every console block is typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Type

MANUAL = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n\$ wattrail (.+)\n((?:.*\n)*?)```", MANUAL)


@pytest.mark.usefixtures("manual_clock")
@pytest.mark.parametrize(("typed", "shown"), BLOCKS, ids=[typed for typed, _ in BLOCKS])
def test_every_example_says_what_the_manual_shows(wattrail: Type, typed: str, shown: str) -> None:
    said = wattrail(*shlex.split(typed))
    assert _words(said.err + said.out) == _words(shown)


def _words(text: str) -> list[str]:
    """The lines without their numbers, which are the twin's, and without their order, which two streams do not keep."""
    lines = (re.sub(r"0x[0-9A-F]+|-?\d+(\.\d+)?", "#", " ".join(line.split())) for line in text.splitlines())
    return sorted(line for line in lines if line)
