"""Reads many MQTT messages from a socket at once.

paho-mqtt 2.1 receives each message in three calls (type, length, rest), and aiomqtt goes through the event loop for
each: of the time of a gateway with 2,000 meters at 1 Hz a fifth went there. Both ask a TLS or WebSocket connection
for bytes that it has decrypted already (``pending``), and go on without the loop while there are any. So a socket that
reads ahead and says what is left needs no change in either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import paho.mqtt.client

__all__ = ["ReadAhead", "read_ahead"]

_BYTES: Final = 8192
"""Read at once: some eighty messages, of which the event loop is kept from its other work for a few milliseconds."""


class ReadAhead:
    """A socket that is read in large pieces and given out in small ones; all else is the socket's own."""

    def __init__(self, of: paho.mqtt.client.SocketLike) -> None:
        self._of = of
        self._ahead = b""
        self._place = 0

    def recv(self, size: int) -> bytes:
        """At most ``size`` bytes. Raises what the socket raises, with nothing read."""
        if self._place == len(self._ahead):
            # A large message gains nothing from being copied once more.
            if size >= _BYTES:
                return self._of.recv(size)
            self._ahead, self._place = self._of.recv(_BYTES), 0
        piece = self._ahead[self._place : self._place + size]
        self._place += len(piece)
        return piece

    def pending(self) -> int:
        """Bytes that can be received without waiting."""
        own = len(self._ahead) - self._place
        return own or int(getattr(self._of, "pending", lambda: 0)())  # of a TLS connection: decrypted and not read

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 whatever paho asks of a socket
        return getattr(self._of, name)


def read_ahead(client: paho.mqtt.client.Client) -> None:
    """Let a client that is not connected yet read ahead."""
    # paho has no public way to give it a socket; all of its connections are made by this one method.
    connect = client._create_socket
    client._create_socket = lambda: ReadAhead(connect())  # type: ignore[method-assign]
