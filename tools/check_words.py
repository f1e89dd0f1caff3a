"""Check the words: the glossary against the code, names against the list of replaced ones, sentences against phrases.

What is refused stands in tools/words.toml and in the "not" column of docs/glossary.md. Prints file, line, the word,
and what to write instead. Quoted code and the blocks of a page are not prose: what commands print is checked where
the commands print it.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = ROOT / "src/wattrail"

_WORD: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_PROSE_TOKENS: Final = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
_MARKS: Final = re.compile(r"""^[A-Za-z]{0,2}("{3}|'{3}|["'])|("{3}|'{3}|["'])$|^#""")
_KEYS_IN_SCRIPTS: Final = re.compile(r"""(["'`])[^"'`\s]*\1""")
_CODE_IN_PAGES: Final = re.compile(r"^ *(```|~~~).*?^ *\1|`[^`\n]*`|\]\([^)]*\)|<!--.*?-->", re.DOTALL | re.MULTILINE)
_QUOTED: Final = re.compile(r"``[^`]*``|`[^`\n]*`")

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """One word or phrase that is refused: where it stands, and what to write."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase of prose that is refused."""

    pattern: re.Pattern[str]
    write: str

    @classmethod
    def of(cls, pattern: str, write: str) -> Phrase:
        """A phrase whose spaces stand for any white space, at the limits of words."""
        flexible = pattern.replace(" ", r"\s+")
        return cls(re.compile(rf"(?<![\w-])(?:{flexible})(?![\w-])", re.IGNORECASE), write)


@dataclass(frozen=True, slots=True)
class Name:
    """A name that a module defines."""

    text: str
    line: int
    is_class: bool = False

    @property
    def words(self) -> Words:
        """Its words in lower case."""
        return words_of(self.text)


@dataclass(frozen=True, slots=True)
class Rules:
    """What is refused: names by their sort, words in names, and phrases of prose, each with what to write."""

    classes: Mapping[str, str]
    modules: Mapping[str, str]
    names: Mapping[str, str]
    parts: Mapping[str, str]
    constants: Mapping[str, str]
    phrases: Sequence[Phrase]
    instead: Mapping[Words, str]
    """The words of the glossary's "not" column, each with the term to use."""


@dataclass(frozen=True, slots=True)
class Term:
    """One row of the glossary: the terms it explains, and the words that are not used for them."""

    line: int
    say: tuple[str, ...]
    avoid: tuple[str, ...]


def words_of(text: str) -> Words:
    """The words of a name or a phrase, in lower case."""
    return tuple(word.lower() for word in _WORD.findall(text))


def glossary_terms(page: str) -> Iterator[Term]:
    """The rows of the glossary's table."""
    for number, line in enumerate(page.splitlines(), start=1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 3 and cells[0] != "say" and not cells[0].startswith("--"):
            say = tuple(term.strip().strip("`") for term in cells[0].split("·"))
            yield Term(number, say, tuple(word.strip() for word in cells[2].split(",") if words_of(word)))


def load_glossary() -> list[Term]:
    """The terms of docs/glossary.md."""
    return list(glossary_terms((ROOT / "docs/glossary.md").read_text(encoding="utf-8")))


def load_rules() -> Rules:
    """The rules of tools/words.toml and of the glossary."""
    table = tomllib.loads((ROOT / "tools/words.toml").read_text(encoding="utf-8"))
    return Rules(
        classes=table["classes"],
        modules=table["modules"],
        names=table["names"],
        parts=table["parts"],
        constants=table["constants"],
        phrases=[Phrase.of(**entry) for entry in table["phrase"]],
        instead={words_of(word): " or ".join(term.say) for term in load_glossary() for word in term.avoid},
    )


def defined_names(module: ast.Module) -> Iterator[Name]:
    """Every class, function, argument, variable and attribute that a module defines."""
    for node in ast.walk(module):
        match node:
            case ast.ClassDef():
                yield Name(node.name, node.lineno, is_class=True)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield Name(node.name, node.lineno)
            case ast.arg():
                yield Name(node.arg, node.lineno)
            case ast.Name(ctx=ast.Store()):
                yield Name(node.id, node.lineno)
            case ast.Attribute(ctx=ast.Store()):
                yield Name(node.attr, node.lineno)


def refused_names(names: Iterable[Name], rules: Rules, path: str) -> Iterator[Refusal]:
    """Names that are replaced, that have a refused word in them, or that the glossary calls otherwise."""
    for name in names:
        bare = name.text.strip("_")
        exact = rules.classes.get(bare) if name.is_class else rules.names.get(name.text, rules.names.get(bare))
        parts = {**rules.parts, **rules.constants} if bare.isupper() else rules.parts
        part = next((word for word in name.words if word in parts), None)
        if exact:
            yield Refusal(path, name.line, f"the name {name.text}: write {exact}")
        elif part:
            yield Refusal(path, name.line, f"{part!r} in the name {name.text}: write {parts[part]}")
        elif word := _avoided(name.words, rules):
            yield Refusal(
                path, name.line, f"{' '.join(word)!r} in {name.text}: the glossary says {rules.instead[word]}"
            )


def _avoided(words: Words, rules: Rules) -> Words | None:
    """A word of the glossary's "not" column that stands whole among these."""
    return next((avoid for avoid in rules.instead if _contains(words, avoid)), None)


def _contains(words: Words, part: Words) -> bool:
    return any(words[at : at + len(part)] == part for at in range(len(words) - len(part) + 1))


def refused_phrases(text: str, first_line: int, rules: Rules, path: str) -> Iterator[Refusal]:
    """Phrases in a piece of prose that begins on ``first_line``."""
    for phrase in rules.phrases:
        for found in phrase.pattern.finditer(text):
            line = first_line + text.count("\n", 0, found.start())
            yield Refusal(path, line, f"{' '.join(found[0].split())!r}: write {phrase.write}")


def prose_of_code(source: str) -> Iterator[tuple[int, str]]:
    """Comments, docstrings and messages of a module, each with its first line; a text without a space is a key.

    Strings that Python joins, and comments on lines that follow each other, are one text: phrases run over their ends.
    """
    text, first, last, kind = "", 0, 0, 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NL:
            continue
        if token.type == kind and token.start[0] <= last + 1:
            text += "\n" * (token.start[0] - last) + _bare(token.string)
        else:
            if " " in text:
                yield first, _QUOTED.sub(_blank, text)
            kind = token.type if token.type in _PROSE_TOKENS else 0
            text, first = (_bare(token.string), token.start[0]) if kind else ("", 0)
        last = token.end[0]


def _bare(token: str) -> str:
    """A string without its quotes, or a comment without its sign."""
    return _MARKS.sub("", token)


def prose_of_test(source: str) -> Iterator[tuple[int, str]]:
    """Docstrings and comments of a test; its other strings quote what comes from outside, firmware and old versions."""
    quoted = {
        node.value.lineno: node.value.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }
    yield from ((line, _QUOTED.sub(_blank, text)) for line, text in quoted.items())
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], _QUOTED.sub(_blank, token.string)


def names_as_prose(source: str) -> Iterator[tuple[int, str]]:
    """Names of a test's functions, fixtures and classes as sentences: pytest's report shows them to a reader."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield node.lineno, node.name.replace("_", " ")
            case ast.ClassDef():
                yield node.lineno, " ".join(words_of(node.name))


def prose_of_script(script: str) -> str:
    """A script of the page without its strings of one word, which are keys of the browser's own."""
    return _KEYS_IN_SCRIPTS.sub(_blank, script)


def prose_of_page(page: str) -> str:
    """A page of Markdown with its code, links and comments blanked."""
    return _CODE_IN_PAGES.sub(_blank, page)


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", "~", found[0])


def check_module(path: Path, rules: Rules) -> Iterator[Refusal]:
    """What is refused in a Python file."""
    shown, source = str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    if path.is_relative_to(PACKAGE):
        place = path.relative_to(PACKAGE).with_suffix("")
        names = [Name(place.name, 1), *defined_names(ast.parse(source))]
        if replaced := rules.modules.get(str(place)):
            yield Refusal(shown, 1, f"the module {place}: write {replaced}")
        yield from refused_names(names, rules, shown)
    for line, text in prose_of_code(source):
        yield from refused_phrases(text, line, rules, shown)


def check_test(path: Path, rules: Rules) -> Iterator[Refusal]:
    """What is refused in a test: in its own name, in the names that it defines, and in its sentences."""
    source = path.read_text(encoding="utf-8")
    for line, text in [(1, path.stem.replace("_", " ")), *names_as_prose(source), *prose_of_test(source)]:
        yield from refused_phrases(text, line, rules, str(path.relative_to(ROOT)))


def check_script(path: Path, rules: Rules) -> Iterator[Refusal]:
    """What is refused in a script of the page."""
    text = prose_of_script(path.read_text(encoding="utf-8"))
    yield from refused_phrases(text, 1, rules, str(path.relative_to(ROOT)))


def check_page(path: Path, rules: Rules) -> Iterator[Refusal]:
    """What is refused in a page; of the glossary the last column, which lists what is not said, is left out."""
    text = path.read_text(encoding="utf-8")
    if path.name == "glossary.md":
        text = re.sub(r"^(\|[^|\n]*\|[^|\n]*\|).*$", r"\1", text, flags=re.MULTILINE)
    yield from refused_phrases(prose_of_page(text), 1, rules, str(path.relative_to(ROOT)))


def repeated_classes(modules: Mapping[str, Sequence[Name]]) -> Iterator[Refusal]:
    """Classes whose name stands more than once in the package."""
    places: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for path, names in modules.items():
        for name in names:
            if name.is_class:
                places[name.text].append((path, name.line))
    for text, (first, *others) in places.items():
        for path, line in others:
            yield Refusal(path, line, f"the class {text} is also in {first[0]}:{first[1]}: say whose it is")


def unused_terms(terms: Iterable[Term], used: str) -> Iterator[Refusal]:
    """Terms of the glossary that neither a name nor a sentence of the package has in it."""
    for term in terms:
        for say in term.say:
            if " ".join(words_of(say)) not in used:
                yield Refusal("docs/glossary.md", term.line, f"no module uses {say!r}: delete it, or use it")


def check_all() -> list[Refusal]:
    """Everything that is refused in the package, its scripts, the tools, the benchmarks, the tests and the pages."""
    rules = load_rules()
    sources = {path: path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
    names = {str(path.relative_to(ROOT)): list(defined_names(ast.parse(text))) for path, text in sources.items()}
    code = [*sources, *sorted(ROOT.glob("bench/**/*.py")), *sorted(ROOT.glob("tools/*.py"))]
    pages = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("changes/*.md"))]
    used = " ".join(" ".join(words_of(text)) for text in sources.values())
    return [
        *(refusal for path in code for refusal in check_module(path, rules)),
        *(refusal for path in sorted(PACKAGE.rglob("*.js")) for refusal in check_script(path, rules)),
        *(refusal for path in sorted(ROOT.glob("tests/**/*.py")) for refusal in check_test(path, rules)),
        *(refusal for path in pages for refusal in check_page(path, rules)),
        *repeated_classes(names),
        *unused_terms(load_glossary(), used),
    ]


def main() -> int:
    if refusals := check_all():
        print("\n".join(map(str, refusals)), file=sys.stderr)
        return 1
    print("words: names and sentences are in order")
    return 0


if __name__ == "__main__":
    sys.exit(main())
