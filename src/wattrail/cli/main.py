"""The command ``wattrail``: quick answers, the parser, and the one place where errors become messages and exit codes.

Help pages that list verbs, and the version come from the table of verbs and load no parser: they are what a person
meets first. The parser is that table, given to cyclopts, which imports a verb when it is used.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from wattrail import __version__
from wattrail.cli.exits import Exit, UsageError, exit_for
from wattrail.cli.verbs import NOUNS, OLD_VALUES, OLD_VERBS, VERBS, Verb
from wattrail.errors import WattrailError

if TYPE_CHECKING:
    from cyclopts import App, MissingArgumentError

__all__ = ["build", "in_current_words", "main"]

_HELP = """\
Usage: wattrail COMMAND [OPTIONS]

From a sealed energy meter to numbers its owner can trust, on the owner's own machine.

Commands:
{commands}

Options:
  -h, --help             this page; after a command, the help of that command
  -v, --verbose          with any command: print on stderr what happens
  --debug                the same with every frame, as hex and in numbers; no secrets
  --version              the version
  --install-completion   complete commands with Tab in bash, zsh or fish

A meter is named by a URL, such as serial:///dev/ttyUSB0?baud=4800 or twin://pziot-e01.
Try one without any hardware: wattrail meter read twin://pziot-e01
Exit codes: 0 done, 1 failed, 2 usage, 3 port, 4 link, 5 target refused, 6 verify.
"""

_NOUN_HELP = """\
Usage: wattrail {noun} COMMAND [OPTIONS]

{what}

Commands:
{commands}

wattrail {noun} COMMAND --help shows more about one of them.
"""


_DEBUG, _INFO = 10, 20  # logging's own numbers: a help page loads no logging

# Taken off before the parser sees the words: as options of a verb they could not stand in front of it.
_LEVELS: Final = MappingProxyType({"-v": _INFO, "--verbose": _INFO, "--debug": _DEBUG})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code; every error that is not a bug ends here, as a message."""
    words, level = _take_level(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without our letters does not make a command fail
    try:
        code = _run(words) if level is None else _run_with_log(words, level)
        sys.stdout.flush()
    except WattrailError as error:
        return _print_error(error)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # ``| head`` has what it wanted; left alone, Python reports the pipe at its end and exits with 120.
        _abandon_stdout()
        return Exit.DONE
    return code


def _take_level(words: Sequence[str]) -> tuple[list[str], int | None]:
    """The words without -v and --debug, and the level they ask for, None if they ask for none.

    They are options of the whole command line, wherever they stand on it before ``--``.
    """
    end = words.index("--") if "--" in words else len(words)
    levels = [_LEVELS[word] for word in words[:end] if word in _LEVELS]
    kept = [word for word in words[:end] if word not in _LEVELS]
    return [*kept, *words[end:]], min(levels, default=None)


def _run(words: Sequence[str]) -> int:
    match words:
        case [] | ["-h"] | ["--help"]:
            print(_HELP.format(commands=_lines()), end="")
            return Exit.DONE
        case [noun] | [noun, "-h" | "--help"] if noun in NOUNS:
            print(_NOUN_HELP.format(noun=noun, what=NOUNS[noun], commands=_lines(f"{noun} ")), end="")
            return Exit.DONE
        case ["--version"]:
            print(__version__)
            return Exit.DONE
    if {"-h", "--help"} & set(words):
        return _dispatch(words)  # the parser's own help, which it styles itself
    from wattrail.cli.output import safe_stdout

    with safe_stdout():
        return _dispatch(words)


def _run_with_log(words: Sequence[str], level: int) -> int:
    """The same, with a log on stderr."""
    from wattrail.cli.log_lines import log_lines

    with log_lines(level, own_handler=words[:1] == ["run"]):
        return _run(words)


def _lines(beginning: str = "") -> str:
    """The verbs of the table, a line each."""
    return "\n".join(f"  {verb.words:<22} {verb.help}" for verb in VERBS if verb.words.startswith(beginning))


def _print_error(error: WattrailError) -> int:
    from wattrail.cli import output

    output.error(str(error))
    for note in getattr(error, "__notes__", ()):
        output.note(note)
    if error.hint:
        output.hint(error.hint)
    return exit_for(error)


def _abandon_stdout() -> None:
    """The reader went away (``| head``): let the interpreter's last flush go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# ---- the parser


_FOR_EVERY_VERB: Final = (
    "With -v or --verbose it says on stderr what happens, with --debug also every frame."  # taken off in ``main``
)


def build() -> App:
    """The parser of the whole command line."""
    from cyclopts import App, Parameter

    app = App(
        name="wattrail",
        version=__version__,
        help_format="markdown",
        # Results are exit codes, errors get our words, and Ctrl-C its own code: all three are up to ``main``.
        print_error=False,
        exit_on_error=False,
        verbose=False,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
        # A flag is off unless it is typed: cyclopts would add --no-json beside each --json.
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
    usage = " ".join(filter(None, (f"Usage: wattrail {verb.words}", verb.arguments, "[OPTIONS]")))
    # zsh takes a bare question mark for a pattern, and refuses the command where no file matches it.
    words = " ".join(f"'{word}'" if "?" in word else word for word in verb.example.split(" "))
    return {"usage": usage, "help_epilogue": f"{_FOR_EVERY_VERB}\n\nExample: wattrail {words}"}


def _dispatch(words: Sequence[str]) -> int:
    """Parse and run one command. A verb returns None for done, or its exit code. Raises UsageError."""
    from cyclopts import CycloptsError, MissingArgumentError, UnusedCliTokensError

    # Old words are replaced here: as aliases of the parser they would stand on the help pages.
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
    verb, see = _verb_of(words), f"see {_help_of(words)}"
    return f"type: wattrail {verb.words} {verb.arguments}; {see}" if verb and verb.arguments else see


def _verb_alone(words: Sequence[str]) -> str | None:
    """A hint for a verb without its noun, such as ``wattrail read``."""
    meant = [verb.words for verb in VERBS if words and verb.words.endswith(f" {words[0]}")]
    return f"did you mean {' or '.join(f'wattrail {one}' for one in meant)}?" if meant else None


def _sentence(text: str) -> str:
    """The parser's message, written as our own are: no capital, no full stop."""
    return text[:1].lower() + text[1:].strip().removesuffix(".")


def _help_of(words: Sequence[str]) -> str:
    """The command that shows the help closest to what was typed."""
    if verb := _verb_of(words):
        return f"wattrail {verb.words} --help"
    return f"wattrail {words[0]} --help" if words and words[0] in NOUNS else "wattrail --help"


def _verb_of(words: Sequence[str]) -> Verb | None:
    """The verb with which a command line begins."""
    return next((verb for verb in VERBS if list(words[: verb.words.count(" ") + 1]) == verb.words.split()), None)
