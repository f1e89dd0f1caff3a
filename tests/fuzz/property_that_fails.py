"""Fails for half of all integers and writes down those that it was tried on. Run by name only, see test_runner.py."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(0, 1 << 64))
def test_an_integer_is_small(number: int) -> None:
    with Path(os.environ["TRIED"]).open("a") as file:
        file.write(f"{number}\n")
    assert number < 1 << 63
