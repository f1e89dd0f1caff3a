"""Every hint of the tree that holds a command or a URL: it is parsed as if it had been typed."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cyclopts import MissingArgumentError

import wattrail
from wattrail.cli.main import build
from wattrail.cli.output import located, manual_folder, with_options
from wattrail.cli.verbs import NOUNS, VERBS
from wattrail.errors import UrlError
from wattrail.transport import SCHEMES, check_url

SOURCE = Path(wattrail.__file__).parent
ROOT = SOURCE.parent.parent
HOLE = "HOLE"
"""What stands in a text where the program puts something in."""

# What may fill a hole, or a word in capitals, of a command or a URL.
FILLED = {"PORT": "/dev/ttyUSB0", "METER": "house", "URL": "twin://pziot-e01"}


def texts_of(node: ast.expr) -> Iterator[str]:
    """Every text that an expression can be, with HOLE for what is filled in."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else HOLE for part in parts)
        case ast.IfExp(body=body, orelse=other):
            yield from texts_of(body)
            yield from texts_of(other)
        case ast.BoolOp(values=values):
            for value in values:
                yield from texts_of(value)
        case ast.BinOp(left=left, right=right):
            for one in texts_of(left):
                for other in texts_of(right):
                    yield one + other


GIVEN = re.compile(r"\b(hint|missing|mend)=|\.hint\(")
"""What every file with a hint holds; most have none, and are not parsed."""


def hints() -> Iterator[tuple[str, str]]:
    """Place and text of each hint: what is handed over as ``hint=``, said by ``hint(...)``, or a constant for it."""
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if not GIVEN.search(text):
            continue
        nodes = list(ast.walk(ast.parse(text)))
        constants = {
            target.id: node.value
            for node in nodes
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
            for target in ([node.target] if isinstance(node, ast.AnnAssign) else node.targets)
            if isinstance(target, ast.Name)
        }
        for node in nodes:
            if not isinstance(node, ast.Call):
                continue
            given = [keyword.value for keyword in node.keywords if keyword.arg in {"hint", "missing", "mend"}]
            if isinstance(node.func, ast.Attribute) and node.func.attr == "hint":
                given += node.args[:1]
            for value in given:
                named = constants.get(value.id) if isinstance(value, ast.Name) else value
                for text in texts_of(named) if named is not None else ():
                    yield f"{path.relative_to(SOURCE)}:{node.lineno}", text


HINTS = list(hints())
QUOTED = re.compile(r"'wattrail ([^']+)'")
IN_A_SENTENCE = re.compile(r"(?<!')\bwattrail ([a-z]+(?: [a-z]+)?)")
ADDRESS = re.compile(r"(?<![\w+])(?:%s):[^\s,'()]+" % "|".join(re.escape(name) for name in SCHEMES))  # noqa: UP031
COMMANDS = [(place, words) for place, text in HINTS for words in QUOTED.findall(text)]
NAMED_VERBS = [(place, words) for place, text in HINTS for words in IN_A_SENTENCE.findall(text)]
URLS = [
    (place, url)
    for place, text in HINTS
    for url in ADDRESS.findall(text)
    if not any(part in url for part in (HOLE, "...")) and not url.endswith("://")
]


def test_the_hints_of_the_tree_are_found() -> None:
    assert len(HINTS) > 100
    assert len(COMMANDS) >= 5
    assert len(URLS) >= 5


@pytest.mark.parametrize(("place", "words"), COMMANDS, ids=[place for place, _ in COMMANDS])
def test_a_command_in_a_hint_is_one_that_the_parser_takes(place: str, words: str) -> None:
    typed = [FILLED.get(word, word) for word in shlex.split(words.removesuffix("."))]
    if not [verb for verb in VERBS if typed[: verb.words.count(" ") + 1] == verb.words.split()]:
        assert typed[0] in NOUNS, f"{place}: there is no command 'wattrail {words}'"
        return
    with suppress(MissingArgumentError):  # a verb alone, as in 'wattrail flash doctor', is its name
        build().parse_args(typed, exit_on_error=False, print_error=False)


@pytest.mark.parametrize(("place", "words"), NAMED_VERBS, ids=[place for place, _ in NAMED_VERBS])
def test_a_verb_that_a_hint_names_in_a_sentence_exists(place: str, words: str) -> None:
    known = {verb.words for verb in VERBS}
    assert words in known or words.split()[0] in known, f"{place}: there is no command 'wattrail {words}'"


@pytest.mark.parametrize(("place", "url"), URLS, ids=[f"{place} {url}" for place, url in URLS])
def test_a_url_in_a_hint_is_one_that_would_be_taken(place: str, url: str) -> None:
    try:
        assert check_url(url.rstrip(".;")) == url.rstrip(".;")
    except UrlError as error:
        raise AssertionError(f"{place}: {error}") from error


def test_an_option_in_a_hint_of_the_command_line_is_one_that_exists() -> None:
    known = {"--help", "--version"}
    for verb in VERBS:
        known |= option_names(verb.words)
    for place, text in HINTS:
        if place.startswith("cli/"):
            for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text):
                assert option in known, f"{place}: no verb has {option}"


def option_names(words: str) -> set[str]:
    app = build()
    for word in words.split():
        app = app[word]
    return {name for argument in app.assemble_argument_collection() for name in argument.names if name[:2] == "--"}


# ---- the pages that messages name


NAMED = sorted(
    {page for path in SOURCE.rglob("*.py") for page in re.findall(r"docs/[a-z0-9/-]+\.md", path.read_text())}
)


@pytest.mark.parametrize("page", NAMED)
def test_a_page_that_a_message_names_is_on_this_machine(page: str) -> None:
    assert manual_folder() is not None
    assert Path(located(f"see {page}, please").split()[1].rstrip(",")).is_file()


def test_a_page_that_is_nowhere_keeps_its_name() -> None:
    assert located("see docs/no-such-page.md") == "see docs/no-such-page.md"
    assert located("see /elsewhere/docs/safety.md") == "see /elsewhere/docs/safety.md"


def test_a_wheel_brings_the_pages_that_its_messages_name(tmp_path: Path) -> None:
    build_wheel = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build_wheel, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    said = subprocess.run(
        [sys.executable, "-P", "-m", "wattrail", "meter", "read", "serial:///dev/null"],
        cwd=tmp_path, env={"PYTHONPATH": str(tmp_path / "installed"), "HOME": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert said.returncode == 2
    (hint,) = [line for line in said.stderr.splitlines() if line.startswith("hint: ")]
    page = next(word for word in hint.split() if word.endswith("safety.md"))
    assert Path(page) == tmp_path / "installed" / "wattrail" / "docs" / "safety.md"
    assert Path(page).is_file()
    for named in NAMED:
        assert (tmp_path / "installed" / "wattrail" / named).is_file()


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("lower the baud rate (max_baud=115200)", "lower the baud rate (--baud 115200)"),
        ("straighten it: wattrail image convert, to=dump", "straighten it: wattrail image convert FILE OUT --to dump"),
        ("then say turns=2. Else", "then say --turns 2. Else"),
        ("wattrail store check, database=c.sqlite", "wattrail store check --database c.sqlite"),
        (
            "wattrail ledger verify, with database=c.sqlite, names what is missing; then",
            "wattrail ledger verify --database c.sqlite names what is missing; then",
        ),
        ("stop wattrail run, and say name=b", "stop wattrail run, and say --name b"),
        ("database=FILE names another", "--database FILE names another"),
        ("open serial:///dev/ttyUSB0?address=2&start=1", "open serial:///dev/ttyUSB0?address=2&start=1"),
    ],
)
def test_keywords_of_the_library_are_named_as_options(text: str, typed: str) -> None:
    assert with_options(text) == typed
