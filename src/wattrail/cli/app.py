"""The parser: the table of verbs, given to cyclopts. It imports a verb when that verb is used."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from cyclopts import App, CycloptsError, MissingArgumentError, Parameter, UnusedCliTokensError

from wattrail import __version__
from wattrail.cli.examples import EXAMPLES
from wattrail.cli.exits import Exit, UsageError
from wattrail.cli.verbs import NOUNS, OLD_VALUES, OLD_VERBS, VERBS, Verb

__all__ = ["build", "dispatch", "in_current_words"]


_FOR_EVERY_VERB: Final = (
    "With -v or --verbose it says on stderr what happens, with --debug also every frame."  # taken off in ``main``
)


def build() -> App:
    """The parser of the whole command line."""
    app = App(
        name="wattrail",
        version=__version__,
        help_format="markdown",
        print_error=False,
        exit_on_error=False,
        verbose=False,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
        default_parameter=Parameter(negative=(), show_default=False),
    )
    nouns = {noun: App(name=noun, help=help_) for noun, help_ in NOUNS.items()}
    for noun in nouns.values():
        app.command(noun)
    for verb in VERBS:
        *noun_words, name = verb.words.split()
        parent = nouns[noun_words[0]] if noun_words else app
        parent.command(f"wattrail.cli.{verb.function}", name=name, **_page(verb))
    app.register_install_completion_command(help="Complete commands with Tab in bash, zsh or fish.")
    return app


def _page(verb: Verb) -> dict[str, str]:
    """The usage line of a verb's help, arguments first as they are typed, and its example."""
    if verb.words not in EXAMPLES:
        return {}
    arguments, typed = EXAMPLES[verb.words]
    usage = " ".join(filter(None, (f"Usage: wattrail {verb.words}", arguments, "[OPTIONS]")))
    # A URL with a question mark or an ampersand is quoted, as a shell wants it.
    words = " ".join(word if word.startswith("'") or "?" not in word else f"'{word}'" for word in typed.split(" "))
    return {"usage": usage, "help_epilogue": f"{_FOR_EVERY_VERB}\n\nExample: wattrail {words}"}


def dispatch(words: Sequence[str]) -> int:
    """Parse and run one command. A verb returns None for done, or its exit code. Raises UsageError."""
    app, words = build(), in_current_words(words)
    try:
        code = app(list(words))
    except MissingArgumentError as error:
        raise UsageError(f"{_missing(error)} is missing", hint=_typed_as(words)) from error
    except UnusedCliTokensError as error:
        surplus = " ".join(error.unused_tokens or ())
        raise UsageError(f"unexpected argument: {surplus}", hint=_typed_as(words)) from error
    except CycloptsError as error:
        raise UsageError(_sentence(str(error)), hint=_verb_alone(words) or f"see {_help_of(words)}") from error
    return Exit.DONE if code is None else int(code)


def in_current_words(words: Sequence[str]) -> list[str]:
    """A command line with the verb and the values of options that earlier versions knew replaced by today's."""
    verb = " ".join(words[:2])
    current = [*OLD_VERBS[verb].split(), *words[2:]] if verb in OLD_VERBS else list(words)
    for (option, old), new in OLD_VALUES.items():
        for at, pair in enumerate(pairwise(current), start=1):
            if pair == (option, old):
                current[at] = new
        current = [f"{option}={new}" if word == f"{option}={old}" else word for word in current]
    return current


def _missing(error: MissingArgumentError) -> str:
    """What was left out, as the usage line names it; an option by its own name."""
    name = error.argument.name if error.argument is not None else "an argument"
    is_positional = error.argument is not None and error.argument.index is not None
    return name.removeprefix("--").upper() if is_positional else name


def _typed_as(words: Sequence[str]) -> str:
    """The usage of the verb that was typed."""
    verb = next((verb for verb in VERBS if list(words[: verb.words.count(" ") + 1]) == verb.words.split()), None)
    if verb is None or verb.words not in EXAMPLES:
        return f"see {_help_of(words)}"
    return f"type: wattrail {verb.words} {EXAMPLES[verb.words].arguments}; see {_help_of(words)}"


def _verb_alone(words: Sequence[str]) -> str | None:
    """A hint for a verb without its noun, such as ``wattrail read``."""
    meant = [verb.words for verb in VERBS if words and verb.words.endswith(f" {words[0]}")]
    return f"did you mean {' or '.join(f'wattrail {one}' for one in meant)}?" if meant else None


def _sentence(text: str) -> str:
    """The parser's message, written as our own are: no capital, no full stop."""
    return text[:1].lower() + text[1:].strip().removesuffix(".")


def _help_of(words: Sequence[str]) -> str:
    """The command that shows the help closest to what was typed."""
    for verb in VERBS:
        if list(words[: verb.words.count(" ") + 1]) == verb.words.split():
            return f"wattrail {verb.words} --help"
    return f"wattrail {words[0]} --help" if words and words[0] in NOUNS else "wattrail --help"
