"""One way to stop: Ctrl-C and SIGTERM both arrive as KeyboardInterrupt."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

__all__ = ["stop_quietly"]


@contextmanager
def stop_quietly() -> Iterator[None]:
    """Run a block until it ends or the person, or the system, asks it to; both are a clean end."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
