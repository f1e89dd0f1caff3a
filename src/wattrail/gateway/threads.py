"""Daemon threads: a port or a database may block for ever, and the process still ends.

``concurrent.futures`` and ``asyncio.to_thread`` join their threads when the interpreter ends, so one blocked call keeps
the process alive. A daemon thread loses nothing: its data is committed, or is read again at the next start.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

__all__ = ["in_thread", "start_thread"]

_Result = TypeVar("_Result")


def start_thread(work: Callable[[], object], *, name: str) -> threading.Thread:
    """Run ``work`` in a daemon thread; returns the thread."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


def in_thread(work: Callable[[], _Result], *, name: str) -> asyncio.Future[_Result]:
    """The result of ``work``, which runs in a daemon thread. The thread goes on if the future is cancelled."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_Result] = loop.create_future()

    def deliver(result: _Result | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: _Result | None = None
        error: BaseException | None = None
        try:
            result = work()
        except BaseException as caught:  # noqa: BLE001 it is raised again where the result is awaited
            error = caught
        with suppress(RuntimeError):  # the loop has ended meanwhile: nothing awaits the result
            loop.call_soon_threadsafe(deliver, result, error)

    start_thread(run, name=name)
    return future
