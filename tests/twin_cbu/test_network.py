"""Calls into the firmware, its functions found by their bytes, and the network around it, without anybody's image."""

from __future__ import annotations

import ctypes.util
import socket
import struct
from collections.abc import Callable
from typing import cast

import pytest

from tests.twin_cbu.conftest import Program
from wattrail.errors import WattrailError
from wattrail.twin.cbu.chips import CBU_CHIPS
from wattrail.twin.cbu.frames import FramePort, NetworkFunctions, call_target, find_network_functions
from wattrail.twin.cbu.machine import Cbu
from wattrail.twin.cbu.user_network import FIRMWARE, HOST, UserNetwork

ADD = bytes.fromhex("40187047")
"""adds r0, r0, r1; bx lr"""

AT = 0x420000
MAC = bytes.fromhex("02005e102030")


def test_a_function_of_the_firmware_is_called_and_nothing_else_changes(program: Callable[..., Program]) -> None:
    machine = program("timers").machine
    machine.run_for(0.01)
    machine.cpu.write_memory(AT, ADD)
    before = [machine.cpu.register(number) for number in range(17)]
    results: list[int] = []
    machine.guest.call(AT, 40, 2, done=results.append)

    assert machine.guest.begin()
    assert not machine.guest.begin(), "one at a time"
    machine.cpu.run(1000)
    machine.guest.finish()

    assert results == [42]
    assert [machine.cpu.register(number) for number in range(17)] == before
    assert not machine.guest.begin()


def code_with_stack() -> bytearray:
    """Made-up code with the shape that the patterns look for."""
    code = bytearray(0x4000)
    code[0x1000:0x100C] = bytes.fromhex("10b50c1c") + bl(0x1004, 0x1800) + bytes.fromhex("021e012a")
    code[0x1100:0x110A] = bytes.fromhex("70b54b89051c0c1c0e2b")
    code[0x2000:0x2002] = bytes.fromhex("a022")  # the allocating function, before the one that passes frames up
    code[0x2018:0x2020] = bytes.fromhex("08b5031c40788968")
    code[0x2020:0x2024] = bl(0x2020, 0x1100)
    code[0x3000:0x3004] = (0x2001).to_bytes(4, "little")
    return code


def bl(at: int, target: int) -> bytes:
    offset = target - at - 4
    return struct.pack("<HH", 0xF000 | offset >> 12 & 0x7FF, 0xF800 | offset >> 1 & 0x7FF)


@pytest.mark.parametrize("target", [0x1800, 0x10, 0x3FFE])
def test_a_call_is_decoded(target: int) -> None:
    code = bytes(0x1004) + bl(0x1004, target)
    assert call_target(code, 0x1004) == target
    assert call_target(bytes(8), 0) is None


def test_functions_are_found_by_their_bytes() -> None:
    assert find_network_functions(bytes(code_with_stack())) == NetworkFunctions(0x1000, 0x1100, 0x2000)


@pytest.mark.parametrize("place", [0x1000, 0x1100, 0x2020, 0x3000])
def test_what_is_not_certain_is_not_found(place: int) -> None:
    code = code_with_stack()
    code[place : place + 4] = bytes(4)
    assert find_network_functions(bytes(code)) is None


def test_the_same_bytes_twice_are_not_certain() -> None:
    code = code_with_stack()
    code[0x3800:0x380C] = code[0x1000:0x100C]
    assert find_network_functions(bytes(code)) is None


class Running:
    """As much of a machine as frames pass through, with code that nobody runs."""

    def __init__(self, code: bytes) -> None:
        self.stored, self.chip = code, CBU_CHIPS["N"]
        self.on_reset: list[Callable[[], None]] = []
        self.on_flash: list[Callable[[int, int], None]] = []
        self.called: list[int] = []
        self.watched: list[int] = []
        self.code = self.cpu = self.guest = self

    def whole(self) -> bytes:
        """The code window."""
        return self.stored

    def watch(self, address: int, _call: Callable[[], None], *, jumps: bool) -> int:
        """Which functions are taken."""
        self.watched.append(address)
        return address

    def unwatch(self, address: int) -> None:
        """No more."""
        self.watched.remove(address)

    def write_memory(self, _address: int, _data: bytes) -> None:
        """Nothing reads it here."""

    def call(self, address: int, *_arguments: int, done: Callable[[int], None]) -> None:
        """Calls that wait; here none comes back."""
        self.called.append(address)


def test_a_frame_that_a_reset_caught_on_its_way_blocks_none_after_it() -> None:
    running = Running(bytes(code_with_stack()))
    frames = FramePort(cast(Cbu, running))
    frames.deliver(b"first")
    frames.deliver(b"second, waits for the first")
    assert running.called == [0x2000]

    for reset in running.on_reset:
        reset()
    frames.deliver(b"third")
    assert running.called == [0x2000, 0x2000]


def test_after_an_update_the_network_is_that_of_the_new_firmware() -> None:
    running = Running(bytes(code_with_stack()))
    frames = FramePort(cast(Cbu, running))
    for changed in running.on_flash:
        changed(0x12000, 256)
    running.stored = bytes(0x4000)
    frames.deliver(b"while it is installed")
    assert running.called == []
    assert frames.dropped == 1

    moved = code_with_stack()
    moved[0x1200:0x120A], moved[0x1100:0x110A] = moved[0x1100:0x110A], bytes(10)
    moved[0x2020:0x2024] = bl(0x2020, 0x1200)
    running.stored = bytes(moved)
    frames.deliver(b"afterwards")
    assert running.called == [0x2000]
    assert running.watched == [0x1000]


@pytest.fixture
def network() -> UserNetwork:
    if ctypes.util.find_library("slirp") is None:
        pytest.skip("libslirp is not there: apt-get install libslirp0")
    frames: list[bytes] = []
    made = UserNetwork(frames.append, lambda: 0.0)
    made.arrived = frames  # type: ignore[attr-defined]
    return made


def frame(kind: int, payload: bytes, to: bytes = b"\xff" * 6) -> bytes:
    return to + MAC + kind.to_bytes(2, "big") + payload


def arp(operation: int, sender: str, target: str) -> bytes:
    return frame(
        0x0806,
        struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation) + MAC + socket.inet_aton(sender) + bytes(6)
        + socket.inet_aton(target),
    )  # fmt: skip


def test_a_visitor_at_the_port_becomes_a_connection_to_the_firmware(network: UserNetwork) -> None:
    arrived: list[bytes] = network.arrived  # type: ignore[attr-defined]
    port = network.forward(80)
    with socket.socket() as visitor:
        visitor.setblocking(False)
        visitor.connect_ex(("127.0.0.1", port))
        network.poll(1.0)
        (asked,) = arrived
        assert asked[12:14] == b"\x08\x06"
        assert asked[38:42] == socket.inet_aton(FIRMWARE), "who has the firmware's address?"
        network.sent(arp(2, FIRMWARE, HOST))
        network.poll(0.1)

    syn = arrived[-1]
    assert syn[:6] == MAC
    assert syn[30:34] == socket.inet_aton(FIRMWARE)
    assert int.from_bytes(syn[36:38], "big") == 80
    assert syn[47] == 0x02, "SYN"
    network.close()


@pytest.mark.parametrize("target", ["8.8.8.8", "192.168.4.9", "192.0.2.1"])
def test_what_would_leave_this_machine_goes_nowhere(network: UserNetwork, target: str) -> None:
    header = struct.pack(">BBHHHBBH", 0x45, 0, 28, 0, 0, 64, 17, 0) + socket.inet_aton(FIRMWARE)
    network.sent(frame(0x0800, header + socket.inet_aton(target) + struct.pack(">HHHH", 1000, 53, 8, 0)))
    assert network.refused == 1
    network.close()


def test_a_closed_network_takes_no_frame_and_opens_no_port(network: UserNetwork) -> None:
    network.close()

    network.sent(arp(1, FIRMWARE, HOST))
    network.poll()

    with pytest.raises(WattrailError, match="is closed"):
        network.forward(80)
