"""One session with a board, and how it ends: whatever cuts it, the last words say what state the flash is in."""

from __future__ import annotations

import json as json_text
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from wattrail.cli import clock, output
from wattrail.cli.exits import UsageError
from wattrail.cli.flash.narrator import Narrator
from wattrail.cli.flash.opening import BoardOptions, opened, url_of
from wattrail.errors import ImageError, LinkFailed, WattrailError, WriteProtected, WriteRefused
from wattrail.flasher import Flasher, Listener
from wattrail.flasher.diagnosis import Diagnosis

__all__ = ["SIMULATED", "board", "name_the_override"]

SIMULATED: Final = "SIMULATED: a digital twin is at the other end, not a board"
_GO_ON: Final = "The same command goes on from there."
_BEFORE_ANYTHING: Final = (UsageError, ImageError, WriteRefused)
"""Errors after which nobody wonders whether something was written."""


@contextmanager
def board(
    port: str,
    options: BoardOptions | None,
    *,
    writes: bool = False,
    after_cut: str = "",
    json: bool = False,
    listener: Listener | None = None,
) -> Iterator[Flasher]:
    """A board that answers.

    ``after_cut`` is what else to say if the session is cut before anything was changed; ``listener`` hears what the
    person is told. With ``json`` a link that fails is told on stdout too. Raises whatever the flasher does, with what
    it means for the flash as a note, and UsageError for files that cannot be used.
    """
    narrator = Narrator(clock.CLOCK, listener)
    with opened(url_of(port), options or BoardOptions(), narrator) as flasher:
        end = _End(flasher, narrator, writes=writes, after_cut=after_cut)
        try:
            flasher.connect()
            yield flasher
        except KeyboardInterrupt:
            narrator.end()
            output.note(f"{_below_what_was_typed()}stopped. {end.words()}")
            raise
        except WattrailError as error:
            narrator.end()
            end.explain(error, json=json)
            raise
        except BrokenPipeError:
            raise  # whoever reads our words has enough of them
        except OSError as error:
            failure = UsageError(f"{error.filename or 'a file'} cannot be used: {error.strerror}")
            failure.add_note(end.words())
            raise failure from error
        finally:
            narrator.end()


@dataclass(frozen=True, slots=True)
class _End:
    """How a session ends, and what state it leaves the flash in."""

    flasher: Flasher
    narrator: Narrator
    writes: bool
    after_cut: str

    def words(self) -> str:
        """One or two sentences."""
        unfinished = self.flasher.unfinished if self.writes and self.narrator.identified else None
        if unfinished is not None:
            kept = f" How it was before is kept in {unfinished.backup}." if unfinished.backup else ""
            return f"The flash may be half-written, and the board may not start. {_GO_ON}{kept}"
        if self.narrator.wrote:
            return "Before that the flash was written and verified."
        return f"Nothing in flash was changed. {self.after_cut}".rstrip()

    def explain(self, error: WattrailError, *, json: bool) -> None:
        """Give an error what a person needs besides: the causes, the word that allows it, the state of the flash."""
        if isinstance(error, LinkFailed):
            _add_causes(error, self.flasher.diagnosis, json=json)
        if isinstance(error, WriteRefused):
            name_the_override(error)
        if isinstance(error, WriteProtected) and not error.elsewhere:
            error.add_note("Nothing in flash was changed.")
        elif not isinstance(error, _BEFORE_ANYTHING):
            error.add_note(self.words())


def name_the_override(error: WriteRefused) -> None:
    """Below the safe way, which comes first, the option that does it all the same."""
    if error.risk:
        override = f"to do it all the same: --allow {error.risk}"
        error.hint = f"{error.hint}\n{override}" if error.hint else override


def _below_what_was_typed() -> str:
    """A terminal shows Ctrl-C as ^C and stays in that line."""
    return "\n" if sys.stderr.isatty() else ""


def _add_causes(error: LinkFailed, diagnosis: Diagnosis, *, json: bool) -> None:
    """The diagnosis: for a program on stdout, for a person below the error."""
    if json:
        print(json_text.dumps({"error": str(error), "diagnosis": diagnosis.as_dict()}))
    for line in diagnosis.lines():
        if line != diagnosis.words:  # the error has said it
            error.add_note(line)
    error.hint = None  # the first cause has it
