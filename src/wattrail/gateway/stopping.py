"""Handles SIGINT and SIGTERM as requests to stop, even while the main thread blocks, with a deadline.

Python runs a signal handler in the main thread between two bytecodes: not while it opens a damaged database or a FIFO.
The C level of the interpreter writes the signal's number into a pipe at once (``signal.set_wakeup_fd``), and a thread
reads that pipe.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from wattrail.gateway.threads import start_thread

__all__ = ["EXIT_WITHIN_S", "stop_requests"]

EXIT_WITHIN_S: Final = 2.5
"""Seconds from the request to the end of the process. Service managers and people wait for a few seconds."""

SAME_REQUEST_S: Final = 0.1
"""Signals that come together are one request: timeout(1), for one, sends its signal to the process and to its group."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_requests(on_stop: Callable[[], None], *, overdue: Callable[[], None] | None = None) -> Iterator[None]:
    """Call ``on_stop`` at the first SIGINT or SIGTERM, in a thread of its own.

    ``overdue`` is called at a second one, unless it comes together with the first, or EXIT_WITHIN_S after the first,
    also after this block has ended: something may block the process later. Without ``overdue`` there is
    no deadline. Does nothing outside the main thread, where no handler can be set.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    earlier = {number: signal.signal(number, _ignore) for number in _SIGNALS}
    earlier_fd = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    start_thread(lambda: _watch(reader, on_stop, overdue), name="stop-requests")
    try:
        yield
    finally:
        signal.set_wakeup_fd(earlier_fd)
        for number, handler in earlier.items():
            signal.signal(number, handler)
        os.close(writer)


def _ignore(_number: int, _frame: object) -> None:
    """The thread acts; without a handler the signal's default would end the process."""


def _watch(reader: int, on_stop: Callable[[], None], overdue: Callable[[], None] | None) -> None:
    if not _requests(reader):
        os.close(reader)
        return  # the block ended without a request
    on_stop()
    if overdue is None:
        os.close(reader)
        return
    until = time.monotonic() + EXIT_WITHIN_S
    time.sleep(SAME_REQUEST_S)
    ended = _drain(reader)
    if not ended:
        readable, _, _ = select.select([reader], [], [], EXIT_WITHIN_S - SAME_REQUEST_S)
        ended = bool(readable) and not _requests(reader)
    if ended:  # the block has ended: the rest of the time is for what comes after it
        time.sleep(max(0.0, until - time.monotonic()))
    overdue()


def _drain(reader: int) -> bool:
    """Discard signals that came meanwhile. Returns whether the writing end was closed."""
    while select.select([reader], [], [], 0)[0]:
        if not os.read(reader, 16):
            return True
    return False


def _requests(reader: int) -> bool:
    """Wait for the next request to stop; False when the writing end was closed."""
    while numbers := os.read(reader, 16):
        if any(number in _SIGNALS for number in numbers):
            return True
    return False
