"""Small fakes of the flasher's lower layers: each answers as its script says, and remembers what it was asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from wattrail.bootrom import Responder
from wattrail.bootrom.commands import Command
from wattrail.bootrom.constants import BAUD_AT_RESET
from wattrail.bootrom.events import Answered
from wattrail.bootrom.geometry import Erase
from wattrail.bootrom.identify import Identity
from wattrail.bootrom.requests import wire_crc
from wattrail.clock import ManualClock
from wattrail.diagnosis.session_statistics import SessionStatistics
from wattrail.flasher.events import SessionState
from wattrail.flasher.flash_target import FlashTarget
from wattrail.image import Chip

TARGET_N = FlashTarget(Identity(Chip.N, Responder.BOOT_ROM, ()), Responder.BOOT_ROM, 0x200000, True, flash_id=0x15ABCD)
TARGET_T = FlashTarget(Identity(Chip.T, Responder.BOOTLOADER, ()), Responder.BOOTLOADER, 0x200000, True)


def reply(command: Command, data: bytes = b"", **fields: int) -> Answered:
    return Answered(command, fields, data, b"")


class ScriptedClient:
    """In place of a ``BootClient``: replies come in order, an error is raised, and after the last all is well."""

    def __init__(self, *replies: Answered | Exception, baud: int = 921600) -> None:
        self.clock = ManualClock()
        self.port = self
        self.baud = baud
        self.replies = deque(replies)
        self.resyncs: deque[bool] = deque()
        self.log: list[str] = []
        self.simulated = True

    def request(self, command: Command, data: bytes = b"", **_: Any) -> Answered:
        self.log.append(str(command))
        answer = self.replies.popleft() if self.replies else reply(command, data)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def resync(self) -> bool:
        return self.resyncs.popleft() if self.resyncs else True

    def answers(self, times: int = 1) -> bool:
        return True

    def change_rate(self, baud: int) -> bool:
        self.log.append(f"rate {baud}")
        self.baud = baud
        return True

    def set_host_rate(self, baud: int) -> None:
        self.baud = baud

    def move_to(self, port: object) -> None:
        self.log.append("moved")

    def close(self) -> None:
        self.log.append("closed")

    def drain(self) -> bytes:
        return b""


def state_of(client: ScriptedClient, events: list[Any]) -> SessionState:
    return SessionState(client.clock, events.append, SessionStatistics(simulated=True))


class ScriptedSession:
    """In place of a ``FlashSession``: ``crcs`` and ``sectors`` by address; everything asked is in ``asked``."""

    baud, simulated = BAUD_AT_RESET, True

    def __init__(self, target: FlashTarget, *statuses: int) -> None:
        self.target = target
        self.links = 1
        self.fault_generation = 0
        self.asked: list[tuple[str, int]] = []
        self.events: list[Any] = []
        self.statuses = deque(statuses)
        self.crcs: dict[int, int] = {}

    def request(self, stage: object, command: Command, data: bytes = b"", **fields: int) -> Answered:
        self.asked.append((str(command), fields.get("address", fields.get("sr", 0))))
        return reply(command, bytes(0x1000), crc=self.crcs.get(fields.get("start", -1), 0))

    def request_agreed(self, stage: object, command: Command, **fields: int) -> Answered:
        self.asked.append((str(command), fields.get("register", 0)))
        return reply(command, sr=self.statuses.popleft(), crc=0) if "register" in fields else reply(command, crc=0)

    def send_link_check(self) -> None:
        self.asked.append(("LinkCheck", 0))

    def sink(self, event: object) -> None:
        self.events.append(event)


class MemoryDevice:
    """In place of a ``FlashDevice``: a flash in memory; ``fault`` happens with the next erase or program."""

    def __init__(self, flash: bytes, target: FlashTarget = TARGET_N) -> None:
        self.flash = bytearray(flash)
        self.target = replace(target, size=len(flash))
        self.simulated, self.baud = True, BAUD_AT_RESET
        self.original_status: int | None = None
        self.fault_generation = self.erases = self.erased_bytes = self.programs = 0
        self.is_protected = False
        self.acts: list[tuple[str, int]] = []
        self.events: list[Any] = []
        self.fault: Callable[[], None] | None = None

    def sink(self, event: object) -> None:
        self.events.append(event)

    def statistics(self) -> SessionStatistics:
        return SessionStatistics()

    def expect(self, board: object) -> None:
        self.board = board

    def fence_in(self, spans: Iterable[tuple[int, int]]) -> None:
        self.fence = [*spans]

    def crc(self, start: int, length: int) -> int:
        return wire_crc(bytes(self.flash[start : start + length]))

    agreed_crc = crc

    def read_sector(self, address: int) -> bytes:
        return bytes(self.flash[address : address + 0x1000])

    def erase(self, size: Erase, address: int) -> None:
        self._act("erase", address, b"\xff" * size.span)
        self.erases += 1
        self.erased_bytes += size.span

    def program(self, address: int, data: bytes) -> None:
        self._act("program", address, data)
        self.programs += 1

    def data_differs(self, stage: object, why: str) -> None:
        self.acts.append(("differs", 0))

    def unprotect(self, *, again: bool = False) -> None:
        self.acts.append(("unprotect again" if again else "unprotect", 0))

    def restore_protection(self) -> None:
        self.acts.append(("restore", 0))

    def _act(self, what: str, address: int, data: bytes) -> None:
        assert any(start <= address and address + len(data) <= start + length for start, length in self.fence)
        self.acts.append((what, address))
        if not self.is_protected:
            self.flash[address : address + len(data)] = data
        if self.fault is not None:
            happens, self.fault = self.fault, None
            self.fault_generation += 1
            happens()
