"""GDB itself debugs a program on the emulated module: break, step, memory, registers."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.twin_cbu.conftest import Program
from wattrail.errors import PortOpenError
from wattrail.twin.cbu.gdb_server import GdbServer
from wattrail.twin.cbu.machine import Cbu

GDB = shutil.which("gdb-multiarch")
RAM = 0x420000


@pytest.fixture
def served(program: Callable[..., Program]) -> Iterator[tuple[GdbServer, Cbu]]:
    machine = program("timers").machine
    server, over = GdbServer(machine), threading.Event()
    thread = threading.Thread(target=server.serve, args=(over.is_set,))
    thread.start()
    yield server, machine
    over.set()
    thread.join()
    server.close()


def packet(text: str) -> bytes:
    return f"${text}#{sum(text.encode()) & 0xFF:02x}".encode()


class Debugger:
    """The other end, by hand, inside a ``with`` block."""

    def __enter__(self) -> Debugger:
        return self

    def __exit__(self, *_: object) -> None:
        self.link.close()

    def __init__(self, port: int) -> None:
        self.link = socket.create_connection(("127.0.0.1", port), timeout=20)

    def ask(self, text: str) -> str:
        self.link.sendall(packet(text))
        answer = b""
        while answer.count(b"#") < 1 or len(answer) < answer.find(b"#") + 3:
            answer += self.link.recv(4096)
        return answer[answer.find(b"$") + 1 : answer.find(b"#")].decode()


@pytest.fixture
def gdb(served: tuple[GdbServer, Cbu]) -> Iterator[Debugger]:
    with Debugger(served[0].port) as debugger:
        yield debugger


def test_a_port_in_use_is_named(served: tuple[GdbServer, Cbu]) -> None:
    server, machine = served
    with pytest.raises(PortOpenError, match=f"cannot listen on 127.0.0.1:{server.port}: Address already in use"):
        GdbServer(machine, port=server.port)


def test_memory_and_registers_are_read_and_written(gdb: Debugger) -> None:
    assert gdb.ask("?") == "S05"
    assert gdb.ask(f"M{RAM:x},4:01020304") == "OK"
    assert gdb.ask(f"m{RAM:x},4") == "01020304"
    assert gdb.ask("P0=78563412") == "OK"
    assert gdb.ask("g")[:8] == "78563412"
    assert len(gdb.ask("g")) == 16 * 8
    assert gdb.ask("p19") != "00" * 4


@pytest.mark.parametrize("nonsense", ["m", "mzz,4", "m90000000,4", "P0", "Gxyz", "Z0,", "vMustReplyEmpty", "!", ""])
def test_nonsense_is_answered_and_harms_nothing(gdb: Debugger, nonsense: str) -> None:
    assert gdb.ask(nonsense) in {"", "E01"}
    assert gdb.ask("?") == "S05"


def test_what_is_left_of_a_damaged_packet_is_passed_over(gdb: Debugger) -> None:
    gdb.link.sendall(b"g#67")
    assert gdb.ask("?") == "S05"


def test_a_breakpoint_stops_and_a_step_goes_one_on(gdb: Debugger) -> None:
    gdb.ask(f"M{RAM:x},10:0100a0e30200a0e30300a0e3feffffea")  # mov r0, 1, 2, 3; b .
    gdb.ask(f"Pf={RAM.to_bytes(4, 'little').hex()}")
    assert gdb.ask(f"Z0,{RAM + 8:x},4") == "OK"
    assert gdb.ask("c") == "S05"
    assert gdb.ask("g")[:8] == "02000000"
    assert gdb.ask("s") == "S05"
    assert gdb.ask("g")[:8] == "03000000"
    assert gdb.ask(f"z0,{RAM + 8:x},4") == "OK"


def test_a_debugger_that_leaves_takes_its_breakpoints_along(served: tuple[GdbServer, Cbu]) -> None:
    with Debugger(served[0].port) as first:
        first.ask(f"Z0,{RAM:x},4")
    with Debugger(served[0].port) as second:
        assert second.ask("?") == "S05"
        assert served[0]._hooks == {}


@pytest.mark.skipif(GDB is None, reason="gdb-multiarch is not installed: apt-get install gdb-multiarch")
def test_gdb_itself_breaks_steps_and_looks(served: tuple[GdbServer, Cbu]) -> None:
    commands = (
        f"target remote 127.0.0.1:{served[0].port}", f"set *(int*){RAM:#x} = 0xe3a00005", f"set $pc = {RAM:#x}",
        f"break *{RAM + 4:#x}", "continue", "print/x $r0", "stepi", f"x/1xw {RAM:#x}", "detach",
    )  # fmt: skip
    words = [str(GDB), "-nx", "-batch", "-ex", "set architecture armv5te"]
    for command in commands:
        words += ["-ex", command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert "$1 = 0x5" in done.stdout, done.stdout + done.stderr
    assert "0xe3a00005" in done.stdout
