"""HTTP for strangers: uvicorn's protocol with a deadline for the head of a request and a limit on connections.

uvicorn limits the size of a head and the idle time after an answer. It does not limit how long a head may take, how
many connections wait without a request, or how long an answer may stay unread.
"""

from __future__ import annotations

import asyncio
import logging

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from wattrail.web.guard import SECURITY_HEADERS
from wattrail.web.limits import HEAD_TIMEOUT_S, MAX_CONNECTIONS, MAX_HEAD_BYTES, STALL_TIMEOUT_S
from wattrail.web.problems import PROBLEM_TYPE, ProblemDetails

__all__ = ["BoundedProtocol"]

logger = logging.getLogger(__name__)


class BoundedProtocol(H11Protocol):
    """One connection."""

    _head_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None
    idle_since = 0.0
    """When the last request ended, or the connection was opened, by the loop's clock."""

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection; if there are too many, drop the one that has been idle longest."""
        super().connection_made(transport)
        self.idle_since = self.loop.time()
        # Not the new one: who holds all of them open would keep out whoever comes after.
        if len(self.connections) > MAX_CONNECTIONS:
            idle = [one for one in self.connections if isinstance(one, BoundedProtocol) and not one.is_busy]
            min(idle, key=lambda one: one.idle_since, default=self).drop("too many connections")
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._stop_timers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Process received bytes."""
        super().data_received(data)
        self._watch_head()  # a timer that runs goes on: a head that comes byte by byte has these seconds as a whole

    def on_response_complete(self) -> None:
        """Start the wait for the next request."""
        self.idle_since = self.loop.time()
        super().on_response_complete()
        self._watch_head()

    def pause_writing(self) -> None:
        """The visitor does not read: start the timer."""
        super().pause_writing()
        self._stall_timer = self._stall_timer or self.loop.call_later(STALL_TIMEOUT_S, self.drop, "answer unread")

    def resume_writing(self) -> None:
        """The visitor reads again: stop the timer."""
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
        super().resume_writing()

    def drop(self, why: str) -> None:
        """End the connection at once, and free its descriptor."""
        logger.debug("connection dropped: %s", why)
        self.connections.discard(self)  # the loop reports the loss later, and more may be accepted before it does
        if self.transport is not None:
            self.transport.abort()  # close() would wait until a visitor who does not read has taken the rest

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that is not HTTP or has too long a head, and close; as uvicorn does, with our headers."""
        head = h11.Response(
            status_code=400, reason=b"Bad Request",
            headers=[(b"content-type", PROBLEM_TYPE.encode()), (b"connection", b"close"), *SECURITY_HEADERS],
        )  # fmt: skip
        problem = ProblemDetails("bad-request", msg, f"send HTTP/1.1 with at most {MAX_HEAD_BYTES} bytes of headers")
        for event in (head, h11.Data(data=problem.body()), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _watch_head(self) -> None:
        if self.is_busy or self.transport is None or self.transport.is_closing():
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self.drop, "no whole request in time")

    def _stop_timers(self) -> None:
        for timer in (self._head_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        self._head_timer = self._stall_timer = None
