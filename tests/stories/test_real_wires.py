"""Driver and twin in different threads, with a real pseudo-terminal or a real socket between them."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattrail import Reading, open_meter
from wattrail.errors import NoAnswer, PortOpenError, UnexpectedReply
from wattrail.twin import open_twin
from wattrail.twin.serve import serve_spi, serve_uart, serve_uart_tcp

SERVERS = {"pty": ("lspa9", serve_uart), "tcp": ("lspa9", serve_uart_tcp), "spi+tcp": ("pziot-e01", serve_spi)}


def read(url: str, board: str, *, count: int = 1) -> list[Reading]:
    with open_meter(url, front_end=board) as meter:
        meter.connect()
        return [meter.read() for _ in range(count)]


@pytest.mark.parametrize("wire", SERVERS)
def test_a_meter_is_read_over_a_real_wire(wire: str) -> None:
    board, serve = SERVERS[wire]
    with serve(open_twin(board, volts=230.0, amps=5.0)) as served:
        (reading,) = read(served.url, board)
    assert reading.volts == pytest.approx(230, rel=1e-3)
    assert reading.watts == pytest.approx(1150, rel=1e-3)
    assert reading.simulated


@pytest.mark.parametrize("wire", SERVERS)
def test_what_was_recorded_on_a_real_wire_reads_the_same_from_the_capture(wire: str, tmp_path: Path) -> None:
    board, serve = SERVERS[wire]
    capture = tmp_path / "capture.jsonl"
    with serve(open_twin(board, volts=230.0, amps=5.0)) as served:
        live = read(f"record:{capture}?of={served.url}", board, count=3)
    again = read(f"replay:{capture}", board, count=3)
    assert [(r.volts, r.amps, r.watts, r.energy_count) for r in again] == [
        (r.volts, r.amps, r.watts, r.energy_count) for r in live
    ]
    assert all(reading.simulated for reading in again)


def test_a_capture_replayed_with_other_questions_is_refused(tmp_path: Path) -> None:
    capture = tmp_path / "capture.jsonl"
    with serve_spi(open_twin("pziot-e01", volts=230.0, amps=5.0)) as served:
        read(f"record:{capture}?of={served.url}", "pziot-e01")
    with open_meter(f"replay:{capture}") as meter, pytest.raises(UnexpectedReply):
        meter.read_registers()


def test_a_wrong_rate_on_a_real_terminal_is_found_out() -> None:
    with serve_uart(open_twin("lspa9", strap=9600, volts=230.0, amps=1.0)) as served:
        url = f"serial://{served.path}?baud=4800"
        with open_meter(url) as meter, pytest.raises(NoAnswer) as caught:
            meter.connect()
    assert caught.value.hint == f"the chip answers at 9600 baud: open serial://{served.path}?baud=9600"


def test_a_twin_that_is_gone_is_an_error_with_a_remedy() -> None:
    with serve_spi(open_twin("pziot-e01")) as served:
        url = served.url
    with pytest.raises(PortOpenError) as caught:
        open_meter(url)
    assert caught.value.hint
