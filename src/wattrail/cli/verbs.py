"""Every verb, as one table: what is typed, where it lives, what it is for.

The table makes the first help page without loading a single verb, and names each verb's function to the parser,
which imports it when it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = ["NOUNS", "VERBS", "Verb"]


class Verb(NamedTuple):
    """One verb: the words that call it, the function behind it within this room, the first line of its help."""

    words: str
    function: str
    help: str


NOUNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "meter": "Talk to one meter.",
        "twin": "Rehearse with a digital twin instead of a board.",
    }
)
"""What the first words mean."""

# fmt: off
VERBS: Final = (
    Verb("run",             "run:run",                        "Run the gateway with its dashboard."),
    Verb("meter read",      "meter.read:read",                "Read a meter once."),
    Verb("meter watch",     "meter.watch:watch",              "Watch a meter live."),
    Verb("meter registers", "meter.registers:show_registers", "Show every register by bit field."),
    Verb("meter record",    "meter.record:record",            "Keep what a meter says in a capture file."),
    Verb("twin list",       "twin.list:list_twins",           "List boards, scenarios and options of twins."),
    Verb("twin serve",      "twin.serve:serve",               "Serve a twin that any program can open."),
)
# fmt: on
"""In the order of the journey, which is the order of the help page."""
