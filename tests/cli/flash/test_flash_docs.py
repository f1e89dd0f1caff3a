"""What the manual shows of the flash verbs is what they say about a twin that a helpful person resets."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.cli.flash.conftest import Bench

DOCS = Path(__file__).parents[3] / "docs"
PAGES = [DOCS / "cli.md", DOCS / "how-to" / "flash.md"]
BLOCKS = [
    block
    for page in PAGES
    for block in re.findall(
        r"```text\n(\$ wattrail (?:flash|uartprogram) (?:.*\n)*?)```", page.read_text(encoding="utf-8")
    )
]
COMMAND = re.compile(r"^\$ wattrail (.+)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


@pytest.mark.usefixtures("new_bin")
@pytest.mark.parametrize("block", BLOCKS, ids=[block.splitlines()[0] for block in BLOCKS])
def test_every_example_says_what_the_manual_shows(
    wattrail: Type, bench: Bench, monkeypatch: pytest.MonkeyPatch, block: str
) -> None:
    monkeypatch.setenv("WATTRAIL_BOARDS", "boards")
    bench.only_a_person_resets()
    for typed, shown in COMMAND.findall(block.replace("~/.local/share/wattrail/boards", "boards")):
        said = wattrail(*shlex.split(typed))
        heard = [*_plain(said.err), *_plain(said.out)]
        for line in _plain(shown):
            assert line in heard
        for stream in (said.out, said.err):
            mine = [line for line in _plain(shown) if line in _plain(stream)]
            assert _in_order(mine, _plain(stream))


def test_the_manual_shows_every_verb() -> None:
    shown = {command.split()[1] for block in BLOCKS for command, _ in COMMAND.findall(block) if command[:5] == "flash"}
    assert shown >= {"info", "read", "write", "verify", "restore", "recover", "doctor"}


def _plain(text: str) -> list[str]:
    """Lines that are more than a sign for others, with one space between words, and without what time makes of them."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return [_timeless(line) for line in lines if line and line != "..."]


def _timeless(line: str) -> str:
    line = re.sub(r"backup-\d+T\d+Z", "backup-#", line)
    return re.sub(r"\d+(\.\d+)? (s|kB/s)\b", r"# \2", line)


def _in_order(some: list[str], all_: list[str]) -> bool:
    rest = iter(all_)
    return all(line in rest for line in some)
