"""Before a port touches wires that may be on mains potential, the person says how they are kept off it."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from wattrail.cli import say
from wattrail.cli.config import user_config_dir
from wattrail.cli.exits import UsageError
from wattrail.transport import is_physical, reach

__all__ = ["WARNING", "Answer", "WiringOptions", "confirm", "memory_path"]


class Answer(StrEnum):
    """The two ways in which a person stays away from the mains."""

    MAINS_OFF = "mains-off"
    ISOLATED = "isolated"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WiringOptions:
    """What every verb that opens ports understands."""

    mains_off: Annotated[bool, Parameter(help="No mains on the board while it is wired; said for this run.")] = False
    isolated: Annotated[bool, Parameter(help="An isolator stands in the wires; said for this run.")] = False

    @property
    def answer(self) -> Answer | None:
        """What was said about the mains, if anything."""
        if self.mains_off:
            return Answer.MAINS_OFF
        return Answer.ISOLATED if self.isolated else None


WARNING: Final = """\
DANGER: the metering side of such a board sits on mains potential.
A laptop or single-board computer wired to its SPI or UART while 230 V is connected can kill you,
even when the meter and the computer both look fine.
Ways out:
  mains-off   no mains on the board at all: feed its 3.3 V side from a bench supply
  isolated    a digital isolator in the wires, or an isolated USB adapter, rated for the mains
docs/safety.md shows the wiring of each."""

_NETWORK_NOTE: Final = "{url} is reached over a network: whoever wired its far end must have isolated it from the mains"
_MEND: Final = "say how you are kept off the mains: add --mains-off or --isolated; docs/safety.md explains both"


def confirm(urls: Iterable[str], *, given: Answer | None = None, configured: Answer | None = None) -> None:
    """Let ports be opened, or raise UsageError. Asks once, on a terminal, and remembers the answer.

    ``given`` was typed for this run alone; ``configured`` stands in the configuration file.
    """
    urls = tuple(urls)
    for url in urls:
        if reach(url) == "network":
            say.note("note: " + _NETWORK_NOTE.format(url=url))
    physical = [url for url in urls if is_physical(url)]
    if not physical or given or configured:
        return
    if remembered := _remembered():
        say.note(f"safety: {remembered} ({memory_path()})")
        return
    say.note(WARNING)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{physical[0]} may touch mains potential, and nobody has confirmed its wiring", hint=_MEND)
    _remember(_ask())


def memory_path() -> Path:
    """The file that remembers the answer; remove it to be asked again."""
    return user_config_dir() / "safety.toml"


def _ask() -> Answer:
    say.note("Type mains-off or isolated, whichever is true now; anything else opens nothing.")
    print("> ", end="", file=sys.stderr, flush=True)
    typed = sys.stdin.readline().strip().lower()
    try:
        return Answer(typed)
    except ValueError:
        raise UsageError("no port was opened: neither mains-off nor isolated was confirmed", hint=_MEND) from None


def _remember(answer: Answer) -> None:
    path = memory_path()
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f'# Remove this file to be asked again.\nconfirmed = "{answer}"\nat = {now}\n', encoding="utf-8"
        )
    except OSError as error:
        say.note(f"not remembered: {path} cannot be written: {error.strerror}")
    else:
        say.note(f"remembered in {path}; remove that file to be asked again")


def _remembered() -> str | None:
    """What was confirmed and when, in words; None if there is nothing, or nothing clear."""
    try:
        memory = tomllib.loads(memory_path().read_text(encoding="utf-8"))
        answer = Answer(memory["confirmed"])
    except (OSError, ValueError, KeyError):
        return None
    when = f"confirmed on {memory['at']:%Y-%m-%d}" if isinstance(memory.get("at"), datetime) else "confirmed"
    doubt = "; is it still true?" if answer is Answer.MAINS_OFF else ""
    return f"{answer}, {when}{doubt}"
