"""The log of a genuine OpenBeken, read on its port 9000 as ``wattrail device log`` does."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from tests.twin_cbu.genuine import openbeken
from wattrail.bk7231 import Chip
from wattrail.device.log_stream import log_lines
from wattrail.twin import Board


def first_lines(board: Board, count: int) -> list[str]:
    port = board.network().port(9000)

    async def read() -> list[str]:
        async with aclosing(log_lines("127.0.0.1", port, timeout_s=300.0)) as lines:
            return [await anext(lines) for _ in range(count)]

    return board.run_while(lambda: asyncio.run(read()), within=120)


def test_the_log_comes_line_by_line_and_a_second_reader_after_the_first() -> None:
    with Board(openbeken(Chip.N, "echo ready")) as board:
        board.wait_for("softap: 1", within=40)
        board.run(2.0)
        printed = first_lines(board, 20)
        assert all(line.startswith(("Info:", "Error:", "Debug:", "Warn:")) for line in printed), printed
        again = first_lines(board, 3)
        assert again, "the first reader has gone"
