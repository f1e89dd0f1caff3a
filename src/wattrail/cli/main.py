"""The command ``wattrail``: the quick answers, and the one place where errors become messages and exit codes.

Help pages that list verbs, and the version come from tables and load no parser: they are what a person
meets first.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from wattrail import __version__
from wattrail.cli.exits import Exit, exit_for
from wattrail.cli.verbs import NOUNS, VERBS
from wattrail.errors import WattrailError

__all__ = ["main"]

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
    from wattrail.cli.app import dispatch

    if {"-h", "--help"} & set(words):
        return dispatch(words)  # the parser's own help, which it styles itself
    from wattrail.cli.output import safe_stdout

    with safe_stdout():
        return dispatch(words)


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
