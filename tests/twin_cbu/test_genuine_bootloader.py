"""The genuine bootloader of a BK7231T, run on the emulated board, is flashed by our flasher, and our twin of it agrees.

With images of one's own: ``make firmware FIRMWARE=folder``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.twin_cbu.genuine import FLASH_BYTES, image
from wattrail.bootrom.requests import wire_crc
from wattrail.clock import Deadline, ManualClock
from wattrail.errors import LinkFailed, PortTimeout
from wattrail.flasher import Flasher
from wattrail.image import recognise
from wattrail.transport import Port
from wattrail.twin.bootrom import BootTwin
from wattrail.twin.bootrom.flash import NorFlash, ProtectedFlash
from wattrail.twin.cbu.board_port import BoardPort
from wattrail.twin.cbu.machine import Cbu

KNOWN_PART, PROTECTED = 0x15701C, 0x7C
LINK_CHECK = bytes.fromhex("01 E0 FC 01 00")


def module(firmware: bytes, mid: int = KNOWN_PART, chip: str = "T") -> Cbu:
    """A module whose flash is protected, as a new one's is."""
    flash = ProtectedFlash(mid, image=firmware.ljust(FLASH_BYTES, b"\xff"))
    flash.sr = PROTECTED
    return Cbu(chip, flash)  # type: ignore[arg-type]


def test_a_whole_flash_is_backed_up_and_another_firmware_starts(tmp_path: Path) -> None:
    machine, log = module(image("OpenBK7231T_QIO_1.18.300")), bytearray()
    machine.uart("uart2").listen(log.extend)
    new = recognise(image("OpenBK7231T_QIO_1.18.302_berry"))
    machine.run_for(1.0)

    with Flasher(BoardPort(machine, reset_line="rts"), reset="rts", folder=tmp_path / "boards") as flasher:
        target = flasher.connect()
        assert target.chip.value == "BK7231T"
        assert target.boot_version == "BK7231S_1.0.5"
        before = bytes(machine.flash.data)
        flasher.backup(tmp_path / "backup.bin")
        assert (tmp_path / "backup.bin").read_bytes() == before
        report = flasher.write(new)

    assert report.simulated
    assert report.repeated == report.losses == 0
    assert machine.flash.data[0x11000 : len(new.data)] == new.data[0x11000:]
    assert machine.flash.data[len(new.data) :] == before[len(new.data) :]
    log.clear()
    machine.reset()
    machine.run_for(3.0)
    assert b"version 1.18.302_berry" in log


def test_the_bootloader_of_an_n_does_not_answer(tmp_path: Path) -> None:
    machine = module(image("OpenBK7231N_QIO_1.18.300"), chip="N")
    with (
        Flasher(BoardPort(machine, reset_line="rts"), reset="rts", folder=tmp_path, patience_s=3.0) as flasher,
        pytest.raises(LinkFailed),
    ):
        flasher.connect()


def short(opcode: int, body: bytes = b"") -> bytes:
    return bytes((0x01, 0xE0, 0xFC, len(body) + 1, opcode)) + body


def long(opcode: int, body: bytes) -> bytes:
    return b"\x01\xe0\xfc\xff\xf4" + (len(body) + 1).to_bytes(2, "little") + bytes((opcode,)) + body


def at(address: int) -> bytes:
    return address.to_bytes(4, "little")


PAGE = bytes(range(256))
ERASE_THERE = long(0x0F, b"\x20" + at(0x1F8000))
CRC = short(0x10, at(0) + at(0xFF))
CONVERSATIONS = {
    "version, with a byte too much": [short(0x11), short(0x11, b"\1")],
    "commands of the ROM": [short(3, at(0x800000)), short(0xAA, b"\x55"), long(0x0E, at(0x9F)), long(0x0C, b"\5")],
    "CRCs of blocks": [
        short(0x10, at(a) + at(b)) for a, b in ((0, 0xFF), (0, 0xFE), (17, 0x210), (0x211000, 0x211FFF))
    ],
    "a CRC of another length": [CRC, short(0x10, at(0)), short(0x10, at(0) + at(0xFF) + b"\0")],
    "reads": [long(9, at(a)) for a in (0x1000, 0xFFFF, 0x10000, 0x11011, 0x200000, 0x80011000, 0x1FF800)],
    "erases": [
        long(15, bytes((size,)) + at(a)) for size, a in ((32, 0x1000), (32, 0x12345), (216, 0x20000), (82, 0x30000))
    ],
    "an erase above the signed limit": [long(15, b"\x20" + at(0x80012000))],
    "protected, then not, then again": [long(6, at(0x1F8000) + PAGE), ERASE_THERE, CRC, long(6, at(0x1F8000) + PAGE)],
    "an erase is armed once": [ERASE_THERE, CRC, ERASE_THERE, LINK_CHECK, ERASE_THERE, long(6, at(0x1F8000) + PAGE)],
    "writes": [
        ERASE_THERE,
        long(7, at(0x1F8000) + 16 * PAGE),
        long(7, at(0x1F8010) + PAGE),
        long(6, at(0x1000) + PAGE),
    ],
    "a refused write": [ERASE_THERE, long(7, at(0x2000) + 16 * PAGE)],
    "rates": [short(0x0F, at(115200) + bytes((delay,))) for delay in (0, 1, 20)],
}


def answers(port: Port, flash: NorFlash, frames: list[bytes], silence_s: float) -> list[tuple[str, int]]:
    """What each frame leads to once the link is there: the reply, and the status word of the flash."""
    while not heard(port, LINK_CHECK, 0.002):
        pass
    heard(port, b"", 0.02)
    return [(heard(port, frame, silence_s).hex(), flash.sr) for frame in frames]


def heard(port: Port, frame: bytes, within: float) -> bytes:
    """All that comes until it is silent for so long."""
    port.write(frame)
    got = b""
    try:
        while True:
            got += port.read(Deadline.after(within, port.clock))
    except PortTimeout:
        return got


@pytest.mark.parametrize("mid", [0x15701C, 0x1540C8, 0x1560EB], ids=hex)
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_twin_answers_as_the_genuine_one_does(name: str, mid: int) -> None:
    firmware = image("OpenBK7231T_QIO_1.18.300").ljust(FLASH_BYTES, b"\xff")
    machine = module(firmware, mid)
    genuine = answers(BoardPort(machine), machine.flash, CONVERSATIONS[name], 0.05)
    clock = ManualClock()
    twin = BootTwin("T", clock=clock, image=firmware, flash_id=mid, flash_bytes=FLASH_BYTES, sr=PROTECTED)
    twin.reset()

    assert answers(twin.port(), twin.flash, CONVERSATIONS[name], 1.0) == genuine
    assert wire_crc(bytes(twin.flash.data)) == wire_crc(bytes(machine.flash.data))
