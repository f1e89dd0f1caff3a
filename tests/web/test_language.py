"""Every sentence of the page is there in every language that has a file."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.web.found_sentences import found_sentences
from tests.web.said_sentences import (
    MODULES,
    SPELT_OUT,
    SYSTEM_SENTENCES,
    alarm_sentences,
    quantity_sentences,
    refusals,
    said_by,
    validation_sentences,
)  # fmt: skip
from wattrail.app.settings_schema import settings_schema

ASSETS = Path(__file__).parents[2] / "src" / "wattrail" / "web" / "assets"
SAID = re.compile(r'\bt\(\s*("(?:[^"\\]|\\.)*")')
LANGUAGES = sorted(ASSETS.glob("words.*.json"))
SAID_LANGUAGES = sorted(ASSETS.glob("said.*.json"))
FOUND_LANGUAGES = sorted(ASSETS.glob("found.*.json"))


MARKED = re.compile(r"data-t>([^<]+)<")


def described(node: dict[str, Any]) -> Iterator[str]:
    """What each field of wattrail.toml is for, as its form on the page says it."""
    for field in node.get("properties", {}).values():
        yield from filter(None, [field.get("description")])
        yield from described(field.get("items", field))


def sentences() -> set[str]:
    marked = {text for page in ASSETS.glob("*.html") for text in MARKED.findall(page.read_text("utf-8"))}
    scripts = (script.read_text("utf-8") for script in ASSETS.glob("*.js"))
    forms = set(described(settings_schema()))
    return marked | forms | {json.loads(text) for script in scripts for text in SAID.findall(script)}


def test_german_is_there() -> None:
    assert [path.name for path in LANGUAGES] == ["words.de.json"]
    assert len(sentences()) > 100


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.name)
def test_a_language_is_complete_and_has_nothing_left_over(path: Path) -> None:
    assert set(json.loads(path.read_text("utf-8"))) == sentences()


def said_by_the_gateway() -> dict[str, str]:
    """Each sentence of the gateway as a template, with its place in the source."""
    found = dict.fromkeys(alarm_sentences(), "src/wattrail/alarms/kinds.py")
    found |= dict.fromkeys(SYSTEM_SENTENCES, "tests/web/said_sentences.py")
    found |= dict.fromkeys(validation_sentences(), "src/wattrail/toml_schema/validation.py")
    found |= dict.fromkeys(quantity_sentences(), "src/wattrail/metrology/calibration_checks.py")
    found |= dict.fromkeys(SPELT_OUT, "tests/web/said_sentences.py")
    for template, place in (*said_by(MODULES), *refusals()):
        found.setdefault(template, place)
    return found


def test_every_language_says_what_the_gateway_says() -> None:
    languages = [path.name.split(".")[1] for path in LANGUAGES]
    for files in (SAID_LANGUAGES, FOUND_LANGUAGES):
        assert [path.name.split(".")[1] for path in files] == languages
    assert len(said_by_the_gateway()) > 400
    assert len(found_sentences()) > 300


@pytest.mark.parametrize("path", SAID_LANGUAGES, ids=lambda path: path.name)
def test_a_sentence_of_the_gateway_has_its_translation(path: Path) -> None:
    complete(path, said_by_the_gateway())


@pytest.mark.parametrize("path", FOUND_LANGUAGES, ids=lambda path: path.name)
def test_a_sentence_about_a_dump_has_its_translation(path: Path) -> None:
    complete(path, found_sentences())


def complete(path: Path, found: dict[str, str]) -> None:
    said = set(json.loads(path.read_text("utf-8")))
    missing = [f'{found[text]}: add "{text}" to {path.name}' for text in sorted(set(found) - said)]
    assert missing == []
    assert sorted(said - set(found)) == [], f"no module says this any more: remove it from {path.name}"


def test_alternatives_and_values_of_a_sentence_are_found() -> None:
    found = said_by_the_gateway()
    assert "{url}: there is no device {path}" in found  # an f-string
    assert "ahead of" in found  # one of two ways to say it, inside another sentence
    assert "voltage {value}, above {limit}" in found  # from a table
    assert "check that the broker runs there" in found  # a remedy


@pytest.mark.parametrize("path", LANGUAGES + SAID_LANGUAGES + FOUND_LANGUAGES, ids=lambda path: path.name)
def test_a_translation_keeps_every_value_of_the_sentence(path: Path) -> None:
    for english, translated in json.loads(path.read_text("utf-8")).items():
        assert Counter(re.findall(r"\{\w+\}", translated)) == Counter(re.findall(r"\{\w+\}", english)), english


ADDRESSED = re.compile(r"\b(?:du|dir|dich|dein\w*)\b|\w Sie\b")


@pytest.mark.parametrize("path", sorted(ASSETS.glob("*.de.json")), ids=lambda path: path.name)
def test_german_addresses_nobody(path: Path) -> None:
    """Neither "du" nor "Sie": what to do is said in the infinitive, as nearly everywhere on the page."""
    translated = json.loads(path.read_text("utf-8")).values()
    assert [text for text in translated if ADDRESSED.search(text)] == []
