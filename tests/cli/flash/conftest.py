"""A board on the bench of a person at a shell: a twin behind the port, on a clock that nobody waits for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Outcome, Type
from tests.image.boards import Board
from wattrail.clock import ManualClock
from wattrail.flasher import Coaching, Flasher, FlashEvent, Progress
from wattrail.image import Chip
from wattrail.transport import logged
from wattrail.twin.bootrom import BootTwin

PORT = "/dev/pts/3?simulated=yes"


@cache
def board(chip: str = "N", seed: int = 1) -> Board:
    """A module with everything its flash holds; the app differs by the seed."""
    return Board(Chip[chip], seed=seed)


class Bench:
    """One twin behind the port. ``reset_line`` None: only a person resets it; ``helpful`` ones do when coached to."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.reset_line: str | None = "rts"
        self.helpful = False
        self.opened: list[tuple[str, dict[str, Any]]] = []
        self._when: tuple[Callable[[FlashEvent], bool], Callable[[], None]] | None = None
        self.build("N")

    def build(self, chip: str, **twin: Any) -> None:
        """Another board."""
        self.before = twin.setdefault("image", board(chip).dump)
        self.twin = BootTwin(chip, clock=self.clock, **twin)  # type: ignore[arg-type]

    @property
    def flash(self) -> bytes:
        return bytes(self.twin.flash.data)

    def open_flasher(self, url: str, *, listener: Callable[[FlashEvent], None], **options: Any) -> Flasher:
        """In place of the one that opens a real port."""
        self.opened.append((url, options))
        assert options.pop("clock") is self.clock

        def hear(event: FlashEvent) -> None:
            listener(event)
            if isinstance(event, Coaching) and self.helpful:
                self.twin.reset()
            if self._when is not None and self._when[0](event):
                happens, self._when = self._when[1], None
                happens()

        return Flasher(self._port(), reopen=self._port, listener=hear, **options)

    def when(self, what: str, share: float, happens: Callable[[], None]) -> None:
        """Let something happen once that share of some work is done."""
        self._when = (
            lambda event: isinstance(event, Progress) and event.what == what and event.done >= share * event.total,
            happens,
        )

    def ctrl_c(self, what: str, share: float = 0.5) -> None:
        """The person presses Ctrl-C then."""
        self.when(what, share, _interrupt)

    def only_a_person_resets(self) -> None:
        """CEN is not wired to anything; somebody touches it when asked to."""
        self.reset_line, self.helpful = None, True

    def goes_dead(self) -> None:
        """The supply is gone for good, and so is the person."""
        self.helpful = False
        self.twin.faults.cut_power()

    def _port(self):
        return logged(self.twin.port(reset_line=self.reset_line))  # type: ignore[arg-type]  # as open_port does


def _interrupt() -> None:
    raise KeyboardInterrupt


@pytest.fixture
def bench(manual_clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench(manual_clock)
    monkeypatch.setattr("wattrail.cli.flash.session.open_flasher", bench.open_flasher)
    return bench


@pytest.fixture
def flash(wattrail: Type, bench: Bench) -> Callable[..., Outcome]:
    """A verb about the board on the bench: ``flash("write", "new.bin")``; RTS is wired if nothing else is said."""

    def run(verb: str, *words: str) -> Outcome:
        reset = () if "--reset" in words or bench.reset_line is None else ("--reset", "rts")
        return wattrail("flash", verb, PORT, *words, *reset)

    return run


@pytest.fixture
def new_bin(home: Path) -> Path:
    """Another firmware, for the N."""
    path = Path("new.bin")
    path.write_bytes(board("N", 2).qio)
    return path


def written(chip: str = "N", seed: int = 2) -> bytes:
    """The flash of a board after the other firmware was written to it."""
    qio = board(chip, seed).qio
    return qio + board(chip).dump[len(qio) :]
