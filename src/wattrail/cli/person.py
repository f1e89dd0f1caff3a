"""The person at this machine: who it is, whether somebody sits here, and what is answered."""

from __future__ import annotations

import getpass
import sys
from typing import Final

__all__ = ["at_a_terminal", "is_yes", "person", "typed"]

_MAX_ANSWER: Final = 1000
"""Characters read of one answer: a pipe without line ends does not fill the memory."""


def person() -> str:
    """The name somebody is logged in by; ``unknown`` for an account that only the service manager knows.

    Something is stated, kept or audited under it where no other name is given.
    """
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # before 3.13 Windows has no pwd to ask, which is an ImportError
        return "unknown"


def at_a_terminal() -> bool:
    """Whether there is a person to ask: one who sees the question, and can answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def typed(prompt: str) -> str | None:
    """What a person types after a prompt, which is on stderr, for results stay apart; None at the end of the input."""
    print(prompt, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline(_MAX_ANSWER)
    return line.strip() if line else None


def is_yes(answer: str | None) -> bool:
    """Whether an answer to ``[y/N]`` agrees; anything unclear does not."""
    return answer is not None and answer.lower() in {"y", "yes"}
