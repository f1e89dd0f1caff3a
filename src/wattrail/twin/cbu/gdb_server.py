"""GDB's remote protocol for the emulated CPU: read and write registers and memory, break, step, continue, interrupt.

The protocol is documented in GDB's manual ("Remote Protocol"). Packets stand between ``$`` and ``#`` with a sum of two
hex digits. One debugger at a time; while it does not let the machine run, device time stands still.

Source: gdb/remote-protocol.
"""

from __future__ import annotations

import logging
import select
import socket
from collections.abc import Callable
from typing import Final

from wattrail.errors import PortOpenError
from wattrail.twin.cbu.cpu import CpuFault
from wattrail.twin.cbu.machine import Cbu

__all__ = ["GdbServer"]

_CORE_REGISTERS: Final = 16
_CPSR: Final = 25
"""GDB's number of CPSR; between it and R15 are eight floating point registers of 12 bytes and their status."""

_PC, _CPU_CPSR = 15, 16
_STOPPED: Final = "S05"
_FAULT: Final = "S0b"
_RUN_TICKS: Final = 20_000
_MAX_PACKET: Final = 0x2000
_MAX_BREAKPOINTS: Final = 64
_DESCRIPTION: Final = (
    '<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd">'
    "<target><architecture>armv5te</architecture></target>"
)

logger = logging.getLogger(__name__)


class GdbServer:
    """Serves at a port of 127.0.0.1."""

    def __init__(self, machine: Cbu, *, port: int = 0) -> None:
        self._machine = machine
        try:
            self._listener = socket.create_server(("127.0.0.1", port))
        except OSError as error:
            raise PortOpenError(
                f"cannot listen on 127.0.0.1:{port}: {error.strerror or error}",
                hint="another program uses this port: stop it, or choose another port",
            ) from error
        self._hooks: dict[int, int] = {}
        self._is_at_breakpoint = False
        self._skipped: int | None = None
        self._client: socket.socket | None = None
        self._buffer = b""
        self.fault: CpuFault | None = None
        self.port: int = self._listener.getsockname()[1]

    def close(self) -> None:
        """End the connection, and let the machine go."""
        self._forget_breakpoints()
        for one in (self._client, self._listener):
            if one is not None:
                one.close()

    def serve(self, stopped: Callable[[], bool]) -> None:
        """Serve one debugger after the other; without one the machine runs. Returns when ``stopped`` holds."""
        while not stopped():
            if self._client is None:
                self._accept()
                if self._client is None:
                    self._run_a_little()
                continue
            packet = self._packet(0.1)
            if packet is not None:
                self._answer(packet, stopped)

    # ---- connection

    def _accept(self) -> None:
        if select.select([self._listener], [], [], 0)[0]:
            self._client, _ = self._listener.accept()
            self._buffer = b""

    def _lost(self) -> None:
        """The debugger is gone: what it set goes with it, and the machine runs on."""
        if self._client is not None:
            self._client.close()
        self._client = None
        self._forget_breakpoints()

    def _packet(self, wait_s: float) -> str | None:
        """The next packet, the byte 3 alone for Ctrl-C, None for none in time."""
        while True:
            if self._buffer[:1] == b"\x03":
                self._buffer = self._buffer[1:]
                return "\x03"
            start = self._buffer.find(b"$")
            end = self._buffer.find(b"#", start)  # one before it was left by a damaged packet
            if 0 <= start < end and len(self._buffer) >= end + 3:
                body, total = self._buffer[start + 1 : end], self._buffer[end + 1 : end + 3]
                self._buffer = self._buffer[end + 3 :]
                is_right = total.lower() == f"{sum(body) & 0xFF:02x}".encode()
                self._write(b"+" if is_right else b"-")
                if is_right:
                    return body.decode("latin-1")
                continue
            if not self._receive(wait_s):
                return None

    def _receive(self, wait_s: float) -> bool:
        client = self._client
        if client is None or not select.select([client], [], [], wait_s)[0]:
            return False
        try:
            data = client.recv(4096)
        except OSError:
            data = b""
        if not data or len(self._buffer) > _MAX_PACKET:
            self._lost()
            return False
        self._buffer += data
        return True

    def _reply(self, text: str) -> None:
        self._write(f"${text}#{sum(text.encode('latin-1')) & 0xFF:02x}".encode("latin-1"))

    def _write(self, data: bytes) -> None:
        try:
            if self._client is not None:
                self._client.sendall(data)
        except OSError:
            self._lost()

    # ---- commands

    def _answer(self, packet: str, stopped: Callable[[], bool]) -> None:
        command, rest = packet[:1], packet[1:]
        if command in {"c", "C"}:
            self._reply(self._continue(stopped))
        elif command in {"s", "S"}:
            self._reply(self._step())
        elif command in {"D", "k"}:
            self._reply("OK")
            self._lost()
        elif (handler := self._handlers().get(command)) is not None:
            try:
                self._reply(handler(rest))
            except (ValueError, IndexError) as error:
                logger.debug("GDB sent %r: %s", packet, error)
                self._reply("E01")
        else:
            self._reply("")  # an empty answer says that a command is not known

    def _handlers(self) -> dict[str, Callable[[str], str]]:
        return {
            "?": lambda _rest: _STOPPED, "\x03": lambda _rest: _STOPPED, "g": self._read_registers,
            "G": self._write_registers, "p": self._read_register, "P": self._write_register, "m": self._read_memory,
            "M": self._write_memory, "Z": self._set_breakpoint, "z": self._clear_breakpoint, "q": self._query,
            "H": lambda _rest: "OK",
        }  # fmt: skip

    def _query(self, rest: str) -> str:
        if rest.startswith("Supported"):
            return f"PacketSize={_MAX_PACKET:x};qXfer:features:read+"
        if rest.startswith("Xfer:features:read:target.xml:"):
            first, length = (int(part, 16) for part in rest.rsplit(":", 1)[1].split(","))
            part = _DESCRIPTION[first : first + length]
            return f"{'m' if first + length < len(_DESCRIPTION) else 'l'}{part}"
        return {"Attached": "1", "C": "QC1", "fThreadInfo": "m1", "sThreadInfo": "l"}.get(rest, "")

    # ---- registers and memory

    def _read_registers(self, _rest: str) -> str:
        return "".join(_hex(self._machine.cpu.register(number)) for number in range(_CORE_REGISTERS))

    def _write_registers(self, rest: str) -> str:
        words = bytes.fromhex(rest)
        for number in range(min(_CORE_REGISTERS, len(words) // 4)):
            self._machine.cpu.set_register(number, int.from_bytes(words[4 * number : 4 * number + 4], "little"))
        return "OK"

    def _read_register(self, rest: str) -> str:
        number = int(rest, 16)
        if number == _CPSR:
            return _hex(self._machine.cpu.register(_CPU_CPSR))
        return _hex(self._machine.cpu.register(number)) if number < _CORE_REGISTERS else "00" * 12

    def _write_register(self, rest: str) -> str:
        name, value = rest.split("=")
        number = int(name, 16)
        known = {**{one: one for one in range(_CORE_REGISTERS)}, _CPSR: _CPU_CPSR}
        if number not in known:
            return "E01"
        self.fault = None  # somebody changes what was wrong
        self._machine.cpu.set_register(known[number], int.from_bytes(bytes.fromhex(value), "little"))
        return "OK"

    def _read_memory(self, rest: str) -> str:
        address, length = (int(part, 16) for part in rest.split(","))
        return self._machine.cpu.read_memory(address, min(length, _MAX_PACKET // 2 - 8)).hex()

    def _write_memory(self, rest: str) -> str:
        place, data = rest.split(":")
        address, length = (int(part, 16) for part in place.split(","))
        self._machine.cpu.write_memory(address, bytes.fromhex(data)[:length])
        # GDB sets its own breakpoints by writing code, where it does not ask for ours.
        self._machine.cpu.forget_code(address, length)
        return "OK"

    # ---- running

    def _set_breakpoint(self, rest: str) -> str:
        kind, address = rest.split(",")[0], int(rest.split(",")[1], 16)
        if kind not in {"0", "1"}:
            return ""  # watchpoints would slow every access
        if len(self._hooks) >= _MAX_BREAKPOINTS:
            return "E02"
        if address not in self._hooks:
            self._hooks[address] = self._machine.cpu.watch(address, lambda: self._reached(address))
        return "OK"

    def _clear_breakpoint(self, rest: str) -> str:
        hook = self._hooks.pop(int(rest.split(",")[1], 16), None)
        if hook is not None:
            self._machine.cpu.unwatch(hook)
        return "OK"

    def _forget_breakpoints(self) -> None:
        for hook in self._hooks.values():
            self._machine.cpu.unwatch(hook)
        self._hooks.clear()

    def _reached(self, address: int) -> None:
        if self._skipped == address:  # the machine goes on from this breakpoint
            self._skipped = None
            return
        self._is_at_breakpoint = True
        self._machine.cpu.stop()

    def _continue(self, stopped: Callable[[], bool]) -> str:
        self._is_at_breakpoint, self._skipped = False, self._machine.cpu.pc
        try:
            while not stopped():
                self._machine.run_until(self._machine.clock.now + _RUN_TICKS, stop=lambda: self._is_at_breakpoint)
                self._skipped = None
                if self._is_at_breakpoint or self._packet(0) == "\x03" or self._client is None:
                    break
        except CpuFault as fault:
            self.fault = fault
            return _FAULT
        return _STOPPED

    def _step(self) -> str:
        self._is_at_breakpoint, self._skipped = False, self._machine.cpu.pc
        try:
            self._machine.run_until(self._machine.clock.now + 1)
        except CpuFault:
            return _FAULT
        return _STOPPED

    def _run_a_little(self) -> None:
        """Run without a debugger; after a fault the machine stands still, for one to look at it."""
        if self.fault is None:
            try:
                self._machine.run_until(self._machine.clock.now + _RUN_TICKS)
            except CpuFault as fault:
                self.fault = fault
                logger.warning("the CPU cannot continue: %s; a debugger may look at it", fault)
        else:
            # Nothing runs: wait for somebody to look, and do not spin.
            select.select([self._listener], [], [], 0.1)


def _hex(word: int) -> str:
    return word.to_bytes(4, "little").hex()
