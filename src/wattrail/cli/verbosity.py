"""``-v``, ``--verbose`` and ``--debug``: options of the whole command line, wherever they stand on it."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

__all__ = ["HELP", "take_level"]

_DEBUG, _INFO = 10, 20  # logging's own numbers: a help page loads no logging

_LEVELS: Final = MappingProxyType({"-v": _INFO, "--verbose": _INFO, "--debug": _DEBUG})

HELP: Final = "With -v or --verbose it says on stderr what happens, with --debug also every frame."
"""For the help page of every verb."""


def take_level(words: Sequence[str]) -> tuple[list[str], int | None]:
    """The words without these options, and the level they ask for, None if they ask for none.

    What follows ``--`` is not an option.
    """
    end = words.index("--") if "--" in words else len(words)
    levels = [_LEVELS[word] for word in words[:end] if word in _LEVELS]
    kept = [word for word in words[:end] if word not in _LEVELS]
    return [*kept, *words[end:]], min(levels, default=None)
