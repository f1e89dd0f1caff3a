"""A board on a desk: a twin, a flasher on its wires, and a person who resets it when asked to."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from tests.image.boards import Board
from wattrail.clock import ManualClock
from wattrail.flasher import Coaching, Flasher, FlashEvent, Progress, Risk
from wattrail.image import Chip, Image, recognise
from wattrail.twin.bootrom import BootTwin

CHIPS = {"N": Chip.N, "M": Chip.M, "T": Chip.T}


@cache
def board(chip: str = "N", seed: int = 1) -> Board:
    """A module with everything its flash holds; the app differs by the seed."""
    return Board(CHIPS[chip], seed=seed)


@cache
def known_image(chip: str = "N", seed: int = 2, kind: str = "qio") -> Image:
    """Another firmware for it, recognised."""
    return recognise(getattr(board(chip, seed), kind))


class CutClock(ManualClock):
    """A manual clock on which something happens at its moment, whatever anybody is waiting for then."""

    def __init__(self) -> None:
        super().__init__()
        self._at: float | None = None
        self._happens: Callable[[], None] = lambda: None

    def at(self, seconds: float, happens: Callable[[], None]) -> None:
        self._at, self._happens = seconds, happens

    def sleep(self, seconds: float) -> None:
        if self._at is not None and self.monotonic() + seconds >= self._at:
            before = max(0.0, self._at - self.monotonic())
            self._at = None
            self.advance(before)
            self._happens()
            seconds -= before
        self.advance(max(0.0, seconds))


class Desk:
    """One twin and its sessions. ``reset`` None: CEN is not wired, and the person presses it when coached to."""

    def __init__(
        self,
        folder: Path,
        chip: str = "N",
        *,
        reset: str | None = "rts",
        helpful: bool = True,
        port: dict[str, Any] | None = None,
        **twin: Any,
    ) -> None:
        self.clock = CutClock()
        self.folder = folder
        self.reset = reset
        self.helpful = helpful
        self.events: list[FlashEvent] = []
        self._port = {"reset_line": reset} | (port or {})
        if "image" not in twin:
            twin["image"] = board(chip).dump
        self.before = bytes(twin["image"])
        self.twin = BootTwin(chip, clock=self.clock, **twin)  # type: ignore[arg-type]

    def flasher(self, **options: Any) -> Flasher:
        return Flasher(
            self.twin.port(**self._port),
            reset=self.reset or "manual",  # type: ignore[arg-type]
            listener=self._hear,
            folder=self.folder,
            **{"patience_s": 20.0} | options,
        )

    @contextmanager
    def session(self, **options: Any):
        with self.flasher(**options) as flasher:
            flasher.connect()
            yield flasher

    def write(self, image: Image, *, allow: Collection[Risk] = (), **options: Any):
        """A whole session that writes an image."""
        with self.session() as flasher:
            return flasher.write(image, allow=allow, **options)

    @property
    def flash(self) -> bytes:
        return bytes(self.twin.flash.data)

    def events_of(self, kind: type) -> list[Any]:
        """The events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def _hear(self, event: FlashEvent) -> None:
        if not isinstance(event, Progress):
            self.events.append(event)
        if isinstance(event, Coaching) and self.helpful and self.reset is None:
            self.twin.reset()


def over(before: bytes, image: Image) -> bytes:
    """A flash after an image was laid over it."""
    return before[: image.base] + image.flash + before[image.base + len(image.flash) :]
