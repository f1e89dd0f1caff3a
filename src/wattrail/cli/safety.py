"""Asks how a person is kept off the mains, before a port touches wires that may be on mains potential."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from wattrail.app.config import user_config_dir
from wattrail.cli import output
from wattrail.cli.exits import UsageError
from wattrail.cli.person import at_a_terminal, is_yes, typed
from wattrail.errors import WattrailError
from wattrail.files import parse_toml, read_text
from wattrail.transport import is_physical, reach
from wattrail.transport.schemes import require_device
from wattrail.units import utc_text
from wattrail.urls import NETWORK_SCHEMES, split

__all__ = ["WARNING", "Answer", "WiringOptions", "confirm", "memory_path"]


class Answer(StrEnum):
    """The two ways in which a person stays away from the mains."""

    MAINS_OFF = "mains-off"
    ISOLATED = "isolated"


@dataclass(frozen=True, slots=True)
class _Memory:
    """A remembered answer, and when it was given, as text."""

    answer: Answer
    when: str


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WiringOptions:
    """What every verb that opens ports understands."""

    mains_off: Annotated[bool, Parameter(help="No mains on the board while it is wired; for this run.")] = False
    isolated: Annotated[bool, Parameter(help="An isolator in the wires; for this run.")] = False

    @property
    def answer(self) -> Answer | None:
        """How the person is kept off the mains, if given."""
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

_MAX_MEMORY_BYTES: Final = 10_000
"""The file that remembers the answer has a hundred bytes."""

_NETWORK_NOTE: Final = "{url} is reached over a network: whoever wired its far end must have isolated it from the mains"
_REMEDY: Final = "say how you are kept off the mains: add --mains-off or --isolated; docs/safety.md explains both"


def confirm(
    urls: Iterable[str],
    *,
    given: Answer | None = None,
    configured: Answer | None = None,
    opens_now: bool = False,
    asks: bool = True,
) -> None:
    """Let ports be opened, or raise UsageError. Asks on a terminal, waits for the answer, and remembers it.

    ``given`` was typed for this run alone; ``configured`` stands in the configuration file. An isolator stays in its
    wires, so that answer holds until the memory is removed. Mains that were off may be on again: that answer is asked
    for at every run, and where nobody can be asked it does not count. ``opens_now``: a device that is not there is
    reported before anything is asked (PortOpenError); a gateway waits for it instead. Without ``asks`` nobody is asked,
    also at a terminal. Meters that speak for themselves on a network are mounted and closed: nothing is wired, and
    nothing is asked.
    """
    urls = tuple(url for url in urls if split(url).scheme not in NETWORK_SCHEMES)
    for url in urls:
        # No question: this machine is not wired to the board, and nobody can see from here what is at the far end.
        if reach(url) == "network":
            output.note("note: " + _NETWORK_NOTE.format(url=url))
    physical = [url for url in urls if is_physical(url)]
    if not physical or given or configured:
        return
    # A mistyped port is said first: nobody should have to answer for wires that are not there.
    for url in physical if opens_now else ():
        require_device(url)
    remembered = _remembered()
    if remembered and remembered.answer is Answer.ISOLATED:
        output.note(f"safety: isolated, {remembered.when} ({memory_path()})")
        return
    can_ask = asks and at_a_terminal()
    if remembered and can_ask:
        _ask_again(remembered)
        return
    output.note(WARNING)
    if not can_ask:
        raise UsageError(f"{physical[0]} may touch mains potential, and nobody has confirmed its wiring", hint=_REMEDY)
    _remember(_ask_for_answer())


def memory_path() -> Path:
    """The file that remembers the answer; remove it to be asked again."""
    return user_config_dir() / "safety.toml"


def _ask_for_answer() -> Answer:
    output.note("Type mains-off or isolated, whichever is true now; anything else opens nothing.")
    try:
        return Answer((typed("> ") or "").lower())
    except ValueError:
        raise UsageError("no port was opened: neither mains-off nor isolated was confirmed", hint=_REMEDY) from None


def _ask_again(remembered: _Memory) -> None:
    """Wait for a yes. Raises UsageError for anything else."""
    output.note(f"safety: mains-off, {remembered.when} ({memory_path()})")
    if not is_yes(typed("Are the mains off the board now, too? [y/N] ")):
        raise UsageError("no port was opened: nobody confirmed that the mains are off now", hint=_REMEDY)


def _remember(answer: Answer) -> None:
    path = memory_path()
    now = utc_text(datetime.now(UTC), timespec="seconds")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f'# Remove this file to be asked again.\nconfirmed = "{answer}"\nat = {now}\n', encoding="utf-8"
        )
    except OSError as error:
        output.note(f"not remembered: {path} cannot be written: {error.strerror}")
    else:
        output.note(f"remembered in {path}; remove that file to be asked again")


def _remembered() -> _Memory | None:
    """What was confirmed and when; None if there is nothing, or nothing clear."""
    path = memory_path()
    try:
        memory = parse_toml(read_text(path, limit=_MAX_MEMORY_BYTES), str(path))
        answer = Answer(str(memory["confirmed"]))
    # A file that somebody edited, or that is cut short, does not count: the question comes again.
    except (WattrailError, ValueError, KeyError):
        return None
    at = memory.get("at")
    return _Memory(answer, f"confirmed on {at:%Y-%m-%d}" if isinstance(at, datetime) else "confirmed")
