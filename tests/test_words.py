"""The words of the project: what the check of them refuses, and what it lets pass."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SPEC = importlib.util.spec_from_file_location("check_words", ROOT / "tools/check_words.py")
assert SPEC is not None
assert SPEC.loader is not None
words = importlib.util.module_from_spec(SPEC)
sys.modules["check_words"] = words
SPEC.loader.exec_module(words)

RULES = words.load_rules()
GLOSSARY = "| say | meaning | not |\n|---|---|---|\n| wrap · gap | its rollover · a hole | overflow, noise gate |\n"


def phrases(text: str) -> list[str]:
    return [str(refusal) for refusal in words.refused_phrases(text, 1, RULES, "page.md")]


def names(source: str) -> list[str]:
    found = words.defined_names(ast.parse(source))
    return [str(refusal) for refusal in words.refused_names(found, RULES, "module.py")]


def test_a_phrase_is_refused_by_file_line_and_what_to_write() -> None:
    assert phrases("First.\nThe file is\nno image.") == [
        'page.md:2: \'is no\': write "is not", "has no", or "there is no"'
    ]


@pytest.mark.parametrize(
    "text",
    [
        "the counter is told apart from noise",
        "there is no such file",
        "it is no longer there",
        "it is no slower than that",
        "registers in words of 32 bits",
        "recommended, amendment, early, ordeals",
        "the most recent one",
    ],
)
def test_plain_english_passes(text: str) -> None:
    assert phrases(text) == []


@pytest.mark.parametrize("text", ["is no TOML", "read anew", "whoever is told", "In words: 3", "200 are the most"])
def test_private_english_is_refused(text: str) -> None:
    assert len(phrases(text)) == 1


def test_quoted_code_and_blocks_of_a_page_are_not_prose() -> None:
    page = "`told` and [a page](anew.md)\n```console\n$ anew\n```\nanew\n"
    assert [line.split(":")[1] for line in phrases(words.prose_of_page(page))] == ["5"]


def test_comments_docstrings_and_messages_are_prose_and_keys_are_not() -> None:
    source = '"""Read anew."""\nx = {"told": f"was told {1}"}  # mend it\n'
    found = [phrases(text)[0] for _, text in words.prose_of_code(source)]
    assert [line.split("'")[1] for line in found] == ["anew", "told", "mend"]


def test_a_phrase_is_found_across_joined_strings_and_lines_of_a_comment() -> None:
    source = 'x = (\n    "1 is "\n    "no image"\n)\n# it was\n# told so\n# 200 are the\n# most\n'
    found = [
        refusal
        for line, text in words.prose_of_code(source)
        for refusal in words.refused_phrases(text, line, RULES, "m")
    ]
    assert [(refusal.line, refusal.text.split("'")[1]) for refusal in found] == [
        (2, "is no"),
        (6, "told"),
        (7, "are the most"),
    ]


def test_a_replaced_name_names_its_successor() -> None:
    assert names("class Books: pass\ndef hush(): ...") == [
        "module.py:1: the name Books: write LedgerSlice",
        "module.py:2: the name hush: write drain_until_quiet",
    ]


def test_a_refused_word_is_found_inside_a_name() -> None:
    found = names("MOST_RATES = 9\nLONGEST = 1\ndef f(*, least_s): ...\nself.almost = longest_gap = 1")
    assert [line.split("in the name ")[1].split(":")[0] for line in found] == ["MOST_RATES", "LONGEST", "least_s"]


def test_the_glossary_gives_terms_and_the_words_to_avoid() -> None:
    assert list(words.glossary_terms(GLOSSARY)) == [
        words.Term(3, ("wrap", "gap"), ("overflow", "noise gate")),
    ]


def test_a_term_that_no_module_uses_is_refused() -> None:
    terms = list(words.glossary_terms(GLOSSARY))
    assert [str(refusal) for refusal in words.unused_terms(terms, "a wrap of the counter")] == [
        "docs/glossary.md:3: no module uses 'gap': delete it, or use it"
    ]


def test_a_class_that_occurs_twice_is_refused_with_both_places() -> None:
    modules = {"a.py": [words.Name("Kind", 3, is_class=True)], "b.py": [words.Name("Kind", 7, is_class=True)]}
    assert [str(refusal) for refusal in words.repeated_classes(modules)] == [
        "b.py:7: the class Kind is also in a.py:3: say whose it is"
    ]


@pytest.mark.parametrize(
    "sentence",
    [
        "the ear of the flasher. Bytes in, a verdict out",
        "A patient finger on the reset button: it presses when somebody knocks",
        "that was cut short is gone on with by the same command",
        "Every sector that was touched has shown the CRC it should have afterwards",
        "After a stop without a goodbye",
        "Nobody watches the counter during an outage. What it moved meanwhile is booked as a gap",
        "do not take their content in 8 turns",
        "the chip says so repeatedly, and it cannot be",
        "'rf', allowed in words, overrules this",
        "a unknown file is not something that lies in flash",
        "what is wrong, and the mend",
        "an answer and then the firmware's own voice is a restart",
    ],
)
def test_no_sentence_that_was_replaced_comes_back(sentence: str) -> None:
    assert phrases(sentence)


def test_of_a_test_only_docstrings_and_comments_are_prose() -> None:
    source = '"""Told anew."""\ndef test_it():\n    """``told``."""\n    assert said == "is no image"  # mend it\n'
    found = [phrases(text) for _, text in words.prose_of_test(source)]
    assert [[line.split("'")[1] for line in each] for each in found] == [["anew", "Told"], [], ["mend"]]


def test_names_in_a_test_are_read_as_sentences() -> None:
    source = "class Told: ...\ndef test_it_is_no_image(): ...\nasync def begin_anew(): ...\n"
    source += "def test_two_are_told_apart_and_one_is_no_longer_there(): ...\n"
    found = [phrases(text) for _, text in words.names_as_prose(source)]
    assert [[line.split("'")[1] for line in each] for each in found] == [["told"], ["is no"], ["anew"], []]


def test_the_name_of_a_test_is_refused_with_its_file_and_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "ROOT", tmp_path)
    module = tmp_path / "test_what_is_told.py"
    module.write_text("\n\ndef test_a_pipe_is_no_file(): ...\n")
    assert [str(refusal).split(": write")[0] for refusal in words.check_test(module, RULES)] == [
        "test_what_is_told.py:1: 'told'",
        "test_what_is_told.py:3: 'is no'",
    ]


def test_keys_in_a_script_are_not_prose_and_its_comments_are() -> None:
    script = 'place({ block: "center" }, t("It is no meter")); // read anew\n'
    assert [line.split("'")[1] for line in phrases(words.prose_of_script(script))] == ["is no", "anew"]
