"""``spi+tcp://`` - an SPI bus on another machine or in another process, by the protocol of ``spi_wire``."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from wattrail.clock import Clock, Deadline
from wattrail.errors import LinkError, PortError, PortLost, PortOpenError, PortTimeout, UnexpectedReply
from wattrail.transport.base import Bus
from wattrail.transport.carrier import CS_OPTION, HZ_OPTION, MODE, OpenCarrier, typed
from wattrail.transport.spi_wire import (
    REPLIES,
    Configure,
    Configured,
    Decoder,
    Hello,
    Message,
    Refused,
    Select,
    Selected,
    Transfer,
    Transferred,
    encode,
)
from wattrail.transport.tcp import CONNECT_OPTION, connect
from wattrail.urls import Option, PortUrl

__all__ = ["OPTIONS", "TcpBus", "open_carrier"]

OPTIONS: Final[Sequence[Option]] = (HZ_OPTION, CS_OPTION, CONNECT_OPTION)

_READ_SIZE: Final = 65536


class TcpBus(OpenCarrier):
    """The master's side. A missing reply ends the connection: read late, it would answer the next request."""

    def __init__(self, url: str, clock: Clock, sock: socket.socket, *, cs: bool) -> None:
        super().__init__(url, clock)
        self._socket = sock
        self._decoder = Decoder(REPLIES)
        self._cs = cs
        self._max_transfer = 0

    def greet(self, hz: int, deadline: Deadline) -> None:
        """Take the slave's HELLO, then set mode and clock. Raises LinkError, PortError."""
        with self._watched():
            hello = self._next(deadline)
            if not isinstance(hello, Hello):
                raise UnexpectedReply(f"{self.url}: expected HELLO, got {_words(hello)}")
            # The mark travels with the greeting: readings of a twin behind a network are marked like any others.
            self._max_transfer, self._simulated = hello.max_transfer, hello.simulated
            self._exchange((Configure(MODE, hz),), deadline)

    def transfer(self, data: bytes, deadline: Deadline) -> bytes:
        """Clock bytes out and as many in, under chip select unless cs=no. Raises PortTimeout, PortLost, PortError."""
        self._check_open()
        self._check_time(deadline)
        if len(data) > self._max_transfer:
            raise PortError(f"{self.url}: {len(data)} bytes in one transfer, the slave takes {self._max_transfer}")
        frame: tuple[Message, ...] = (Transfer(data),)
        if self._cs:
            # The three leave as one block, and their replies are read
            # after it: one round trip for a frame and not three.
            frame = (Select(True), Transfer(data), Select(False))
        with self._watched():
            replies = self._exchange(frame, deadline)
        (got,) = (reply.data for reply in replies if isinstance(reply, Transferred))
        return got

    def _exchange(self, requests: Sequence[Message], deadline: Deadline) -> list[Message]:
        # 0 would make the socket non-blocking, and cut a request in two.
        self._socket.settimeout(max(deadline.remaining, 0.001))
        self._socket.sendall(b"".join(map(encode, requests)))
        replies = [self._next(deadline) for _ in requests]
        for request, reply in zip(requests, replies, strict=True):
            if isinstance(reply, Refused):
                raise PortError(f"{self.url}: the slave refused: {reply.text}")
            if not _answers(request, reply):
                raise UnexpectedReply(f"{self.url}: {_words(request)} was answered by {_words(reply)}")
        return replies

    def _next(self, deadline: Deadline) -> Message:
        while (message := self._decoder.next_message()) is None:
            self._socket.settimeout(deadline.remaining)
            data = self._socket.recv(_READ_SIZE)
            if not data:
                raise PortLost(f"{self.url}: the slave closed the connection", hint="open it again")
            self._decoder.receive(data)
        return message

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except (TimeoutError, BlockingIOError) as error:
            self.close()
            raise PortTimeout(f"{self.url}: no reply before the deadline; the connection was dropped") from error
        except OSError as error:
            self.close()
            raise PortLost(f"{self.url} went away: {error}", hint="open it again") from error
        except (PortLost, LinkError):
            self.close()
            raise

    def _release(self) -> None:
        self._socket.close()


def open_carrier(url: PortUrl, options: Mapping[str, object], clock: Clock) -> Bus:
    """Connect, and agree with the slave on version, mode 1 and clock. Raises PortOpenError."""
    sock = connect(url, options)
    bus = TcpBus(url.text, clock, sock, cs=typed(options, "cs", bool))
    deadline = Deadline.after(typed(options, "connect_timeout_s", float), clock)
    try:
        bus.greet(typed(options, "hz", int), deadline)
    except (LinkError, PortError) as error:
        bus.close()
        raise PortOpenError(f"{url.text}: no SPI slave there: {error}", hint=error.hint) from error
    return bus


def _answers(request: Message, reply: Message) -> bool:
    match request, reply:
        case Transfer(sent), Transferred(got):
            return len(sent) == len(got)
        case (Select(), Selected()) | (Configure(), Configured()):
            return True
        case _:
            return False


def _words(message: Message) -> str:
    if isinstance(message, Refused):
        return f"the refusal {message.text!r}"
    if isinstance(message, Transfer | Transferred):
        return f"{type(message).__name__.upper()} of {len(message.data)} bytes"
    return type(message).__name__.upper()
