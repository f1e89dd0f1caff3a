"""The socket under an MQTT connection is read in large pieces and given out in small ones, with nothing lost."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator

import pytest

from tests.sources.conftest import NEEDS_BROKER, Mosquitto, opened, publisher, run
from wattrail.sources.read_ahead import ReadAhead


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, ReadAhead]]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with ours, theirs:
        yield ours, ReadAhead(theirs)


def test_small_pieces_come_from_one_read_in_their_order(pair: tuple[socket.socket, ReadAhead]) -> None:
    sender, reader = pair
    sender.sendall(b"0123456789")
    assert reader.pending() == 0
    assert [reader.recv(1), reader.recv(1), reader.recv(5)] == [b"0", b"1", b"23456"]
    assert reader.pending() == 3
    assert reader.recv(100) == b"789"
    assert reader.pending() == 0


def test_nothing_to_read_blocks_and_an_end_is_an_end(pair: tuple[socket.socket, ReadAhead]) -> None:
    sender, reader = pair
    with pytest.raises(BlockingIOError):
        reader.recv(1)
    sender.sendall(b"last")
    sender.close()
    assert reader.recv(2) == b"la"
    assert reader.recv(2) == b"st"
    assert reader.recv(2) == b""


def test_a_large_read_is_passed_through(pair: tuple[socket.socket, ReadAhead]) -> None:
    sender, reader = pair
    sender.sendall(bytes(20_000))
    assert len(reader.recv(20_000)) == 20_000
    assert reader.pending() == 0


def test_what_a_tls_connection_has_decrypted_counts_as_pending() -> None:
    class Decrypted:
        def pending(self) -> int:
            return 7

        def fileno(self) -> int:
            return 5

    reader = ReadAhead(Decrypted())  # type: ignore[arg-type]
    assert reader.pending() == 7
    assert reader.fileno() == 5


@NEEDS_BROKER
def test_messages_that_come_together_are_all_read(broker: Mosquitto) -> None:
    """Two hundred meters publish at once: far more than one read of the socket holds."""
    base = f"mqtt://127.0.0.1:{broker.port}/z"
    urls = [f"{base}/m{number}?device=json&energy=energy&power=power" for number in range(200)]

    async def story() -> None:
        async with publisher(broker.port) as publish, opened(*urls) as sources:
            first = [asyncio.create_task(source.read()) for source in sources]
            while not all(task.done() for task in first):
                for number in range(200):
                    await publish(f"z/m{number}", json.dumps({"energy": 1 + number, "power": 100}))
                await asyncio.wait(first, timeout=0.05)
            assert [task.result().energy_count for task in first] == [1000 * (1 + number) for number in range(200)]

    run(story())
