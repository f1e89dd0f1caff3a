"""Handles SIGINT and SIGTERM as requests to stop, even while the main thread blocks, with a deadline; SIGHUP to reload.

Python runs a signal handler in the main thread between two bytecodes: not while it opens a damaged database or a FIFO.
The C level of the interpreter writes the signal's number into a pipe at once (``signal.set_wakeup_fd``), and a thread
reads that pipe.

SIGHUP has two meanings: a service manager asks for a reload, and a terminal that closes ends what runs in it. Whoever
had a terminal and has it no longer is asked to stop.
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
_RELOAD: Final = getattr(signal, "SIGHUP", None)


@contextmanager
def stop_requests(
    on_stop: Callable[[], None],
    *,
    overdue: Callable[[], None] | None = None,
    on_reload: Callable[[], None] | None = None,
) -> Iterator[None]:
    """Call ``on_stop`` at the first SIGINT or SIGTERM, in a thread of its own; ``on_reload`` there at every SIGHUP.

    ``overdue`` is called at a second one, unless it comes together with the first, or EXIT_WITHIN_S after the first,
    also after this block has ended: something may block the process later. Without ``overdue`` there is
    no deadline. Does nothing outside the main thread, where no handler can be set.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    handled = _SIGNALS if on_reload is None or _RELOAD is None else (*_SIGNALS, _RELOAD)
    earlier = {number: signal.signal(number, _ignore) for number in handled}
    watch = _SignalWatch(reader, on_stop, overdue=overdue, on_reload=on_reload)
    earlier_fd = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    start_thread(watch.run, name="stop-requests")
    try:
        yield
    finally:
        signal.set_wakeup_fd(earlier_fd)
        for number, handler in earlier.items():
            signal.signal(number, handler)
        os.close(writer)


def _ignore(_number: int, _frame: object) -> None:
    """The thread acts; without a handler the signal's default would end the process."""


class _SignalWatch:
    """Reads the pipe of signals, in a thread of its own, until its writing end is closed."""

    def __init__(
        self,
        reader: int,
        on_stop: Callable[[], None],
        *,
        overdue: Callable[[], None] | None,
        on_reload: Callable[[], None] | None,
    ) -> None:
        self._reader, self._on_stop, self._overdue, self._on_reload = reader, on_stop, overdue, on_reload
        self._has_terminal = _has_terminal()

    def run(self) -> None:
        """Call what the signals ask for."""
        if not self._stop_is_requested():
            os.close(self._reader)
            return  # the block ended without a request
        self._on_stop()
        if self._overdue is None:
            os.close(self._reader)
            return
        until = time.monotonic() + EXIT_WITHIN_S
        time.sleep(SAME_REQUEST_S)
        ended = self._drain()
        if not ended:
            readable, _, _ = select.select([self._reader], [], [], EXIT_WITHIN_S - SAME_REQUEST_S)
            ended = bool(readable) and not self._stop_is_requested()
        if ended:  # the block has ended: the rest of the time is for what comes after it
            time.sleep(max(0.0, until - time.monotonic()))
        self._overdue()

    def _drain(self) -> bool:
        """Discard signals that came meanwhile. Returns whether the writing end was closed."""
        while select.select([self._reader], [], [], 0)[0]:
            if not os.read(self._reader, 16):
                return True
        return False

    def _stop_is_requested(self) -> bool:
        """Wait for the next request to stop; False when the writing end was closed."""
        while numbers := os.read(self._reader, 16):
            if any(number in _SIGNALS for number in numbers):
                return True
            if _RELOAD is not None and _RELOAD in numbers and self._on_reload is not None:
                if self._has_terminal and not _has_terminal():
                    return True
                self._on_reload()
        return False


def _has_terminal() -> bool:
    """Whether this process has a terminal that is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
