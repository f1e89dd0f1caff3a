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
    """Run a block until it ends or the person, or the system, asks it to; both are a clean end.

    A shell without job control starts its background commands with SIGINT ignored, and Python leaves that as it is.
    ``kill -INT`` must still stop a server.
    """
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, _interrupt)}
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # The default handler, and no other: asyncio puts its own in the place of this one only.
        before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
