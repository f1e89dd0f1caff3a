"""The flasher's page: its example runs, and its table of refusals is the one in the code."""

from __future__ import annotations

import re
from pathlib import Path

from wattrail.flasher import Risk

PAGE = (Path(__file__).parents[2] / "docs" / "flasher.md").read_text(encoding="utf-8")


def test_the_example_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(example, "docs/flasher.md", "exec"), {})


def test_every_word_that_allows_a_risk_is_listed() -> None:
    table = PAGE.partition("## What is refused")[2].partition("\n## ")[0]
    assert set(re.findall(r"\| `([a-z-]+)`", table)) == {risk.value for risk in Risk}
