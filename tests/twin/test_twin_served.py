"""Twins that other programs talk to: a pseudo-terminal, TCP, SPI over TCP."""

from __future__ import annotations

import socket
import threading

import pytest
import serial  # the other people's library, to meet them with their own tool

from wattrail.chips.bl0942.registers import MODE
from wattrail.clock import Deadline, ManualClock, SystemClock
from wattrail.errors import PortError
from wattrail.transport import Bus, Port, open_port
from wattrail.twin import open_twin
from wattrail.twin.serve import serve_spi, serve_uart, serve_uart_tcp

MODE_REPLY = bytes.fromhex("87 00 00 07")


def servers() -> int:
    """Threads that serve a twin; others come and go as they like."""
    return sum(thread.name == "wattrail-twin" for thread in threading.enumerate())


def test_a_serial_program_at_the_right_rate_reads_the_meter() -> None:
    twin = open_twin("lspa9", amps=5)
    with serve_uart(twin) as served, serial.Serial(served.path, 4800, timeout=30) as port:
        port.write(bytes.fromhex("58 19"))
        assert port.read(4) == MODE_REPLY
        port.write(bytes.fromhex("58 AA"))
        packet = port.read(23)
        assert packet[0] == 0x55
        assert ~(0x58 + sum(packet[:22])) & 0xFF == packet[22]


def test_our_own_serial_port_reads_it_like_any_adapter() -> None:
    with serve_uart(open_twin("lspa9")) as served, open_port(served.url) as port:
        assert isinstance(port, Port)
        assert port.simulated
        port.write(bytes.fromhex("58 19"))
        deadline, got = Deadline.after(30, port.clock), b""
        while len(got) < 4:
            got += port.read(deadline)
        assert got == MODE_REPLY


def test_a_served_bl0940_answers_to_its_own_heads() -> None:
    with serve_uart(open_twin("bw-shp10", amps=5)) as served, serial.Serial(served.path, 4800, timeout=30) as port:
        port.write(bytes.fromhex("50 1A"))
        assert port.read(4) == bytes.fromhex("00 00 00 95")
        port.write(bytes.fromhex("50 AA"))
        packet = port.read(35)
        assert ~(0x50 + sum(packet[:34])) & 0xFF == packet[34]


def test_a_serial_program_at_the_wrong_rate_hears_no_sense() -> None:
    twin = open_twin("lspa9")
    with serve_uart(twin) as served, serial.Serial(served.path, 9600, timeout=0.1) as port:
        port.write(bytes.fromhex("58 19"))
        assert port.read(4) != MODE_REPLY
        port.baudrate = 4800
        port.timeout = 30
        twin.uart.line_break(0.01, twin.now())
        port.write(bytes.fromhex("58 19"))
        assert port.read(4) == MODE_REPLY


def test_a_program_may_close_the_device_and_come_back() -> None:
    twin = open_twin("lspa9")
    with serve_uart(twin) as served:
        for _ in range(3):
            with serial.Serial(served.path, 4800, timeout=30) as port:
                port.write(bytes.fromhex("58 19"))
                assert port.read(4) == MODE_REPLY


def test_a_tcp_client_reads_the_meter_and_the_next_one_too() -> None:
    with serve_uart_tcp(open_twin("lspa9")) as served:
        for _ in range(2):
            with socket.create_connection((served.host, served.port), timeout=30) as client:
                client.sendall(bytes.fromhex("58 19"))
                got = b""
                while len(got) < 4:
                    got += client.recv(4)
                assert got == MODE_REPLY


def test_spi_goes_over_tcp_and_says_that_it_is_simulated() -> None:
    twin = open_twin("pziot-e01")
    clock = SystemClock()
    with serve_spi(twin) as served, open_port(served.url) as bus:
        assert isinstance(bus, Bus)
        assert bus.simulated
        reply = bus.transfer(bytes.fromhex("58 19 00 00 00 00"), Deadline.after(30, clock))
        assert reply[2:] == bytes.fromhex("00 00 87 07")
        bus.transfer(bytes.fromhex("A8 1D 00 00 55 E5"), Deadline.after(30, clock))
        bus.transfer(bytes.fromhex("A8 19 00 00 8F AF"), Deadline.after(30, clock))
        assert twin.chip.peek(MODE) == 0x8F


def test_servers_leave_no_thread_behind() -> None:
    before = servers()
    with serve_uart(open_twin("lspa9")), serve_uart_tcp(open_twin("lspa9")), serve_spi(open_twin("pziot-e01")):
        assert servers() == before + 3
    assert servers() == before


def test_what_cannot_be_served_says_why() -> None:
    with pytest.raises(PortError, match="wired by SPI"), serve_uart(open_twin("pziot-e01")):
        pass
    with pytest.raises(PortError, match="manual clock"), serve_uart(open_twin("lspa9", clock=ManualClock())):
        pass
