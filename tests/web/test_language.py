"""Every sentence of the page is there in every language that has a file."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

ASSETS = Path(__file__).parents[2] / "src" / "wattrail" / "web" / "assets"
SAID = re.compile(r'\bt\(\s*("(?:[^"\\]|\\.)*")')
LANGUAGES = sorted(ASSETS.glob("words.*.json"))


MARKED = re.compile(r"data-t>([^<]+)<")


def sentences() -> set[str]:
    marked = {text for page in ASSETS.glob("*.html") for text in MARKED.findall(page.read_text("utf-8"))}
    scripts = (script.read_text("utf-8") for script in ASSETS.glob("*.js"))
    return marked | {json.loads(text) for script in scripts for text in SAID.findall(script)}


def test_german_is_there() -> None:
    assert [path.name for path in LANGUAGES] == ["words.de.json"]
    assert len(sentences()) > 100


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.name)
def test_a_language_is_complete_and_has_nothing_left_over(path: Path) -> None:
    assert set(json.loads(path.read_text("utf-8"))) == sentences()


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.name)
def test_a_translation_keeps_every_value_of_the_sentence(path: Path) -> None:
    for english, translated in json.loads(path.read_text("utf-8")).items():
        assert Counter(re.findall(r"\{\w+\}", translated)) == Counter(re.findall(r"\{\w+\}", english)), english
