"""One chip's flash on a scripted session: what is asked for, and in which order."""

from __future__ import annotations

import pytest

from tests.flasher.scripted import TARGET_N, TARGET_T, ScriptedSession
from wattrail.bootrom.commands import CHECK_CRC, ERASE, READ_4K, WRITE_4K
from wattrail.bootrom.geometry import ERASE_64K, ERASE_SECTOR, PARTS
from wattrail.errors import TargetError
from wattrail.flasher.device import BUSY_READS, FlashDevice
from wattrail.flasher.events import Note
from wattrail.flasher.flash_target import FlashTarget

SECTOR = bytes(0x1000)
LINK_CHECK = ("LinkCheck", 0)
PROTECTED, OPEN = 0x4004, 0x0000
"""Two status registers of 8 bits, as read one after the other: 04 and 40, 00 and 00."""


def device_on(target: FlashTarget, *statuses: int) -> tuple[FlashDevice, ScriptedSession]:
    session = ScriptedSession(target, *statuses)
    device = FlashDevice(session, target)  # type: ignore[arg-type]
    device.fence_in([(0x20000, 0x20000)])
    return device, session


def test_outside_the_fence_nothing_is_sent() -> None:
    device, session = device_on(TARGET_N)
    for at in (0x1F000, 0x40000):
        with pytest.raises(ValueError, match="outside what may be written"):
            device.program(at, SECTOR)
        with pytest.raises(ValueError, match="outside what may be written"):
            device.erase(ERASE_SECTOR, at)
    assert session.asked == []


def test_what_is_erased_and_programmed_is_counted() -> None:
    device, session = device_on(TARGET_N)
    device.erase(ERASE_64K, 0x20000)
    device.program(0x20000, SECTOR)
    assert session.asked == [(str(ERASE), 0x20000), (str(WRITE_4K), 0x20000)]
    assert (device.erases, device.erased_bytes, device.programs) == (1, 0x10000, 1)


def test_a_bootloader_is_armed_by_a_link_check_and_an_erase() -> None:
    device, session = device_on(TARGET_T)
    device.erase(ERASE_SECTOR, 0x20000)
    device.program(0x20000, SECTOR)
    assert session.asked == [LINK_CHECK, (str(ERASE), 0x20000), (str(WRITE_4K), 0x20000)]


@pytest.mark.parametrize("what", ["crc", "link"])
def test_a_crc_or_a_new_link_disarms_a_bootloader(what: str) -> None:
    device, session = device_on(TARGET_T)
    device.erase(ERASE_SECTOR, 0x20000)
    if what == "crc":
        device.crc(0x20000, 0x1000)
    else:
        session.links += 1
    session.asked.clear()
    device.program(0x21000, SECTOR)
    assert session.asked == [LINK_CHECK, (str(ERASE), 0x21000), (str(WRITE_4K), 0x21000)]


def test_what_a_bootloader_guards_is_read_one_flash_higher() -> None:
    device, session = device_on(TARGET_T)
    device.read_sector(0x1000)
    device.read_sector(0x11000)
    assert session.asked == [(str(READ_4K), 0x201000), (str(READ_4K), 0x11000)]


def test_a_crc_is_the_chip_s_own() -> None:
    device, session = device_on(TARGET_N)
    session.crcs[0x20000] = 0x1234
    assert device.crc(0x20000, 0x1000) == 0x1234
    assert session.asked[0][0] == str(CHECK_CRC)


# ---- protection


def listed(sr: int) -> FlashTarget:
    part = next(part for part in PARTS if part.name == "TH25Q16HB")
    return FlashTarget(TARGET_N.identity, TARGET_N.responder, TARGET_N.size, True, flash_id=part.mid, part=part, sr=sr)


def test_protection_is_taken_off_once_and_put_back() -> None:
    device, session = device_on(listed(PROTECTED))
    session.statuses.extend([0x04, 0x40, 0x00, 0x00, 0x00, 0x00, 0x04, 0x40])
    device.unprotect()
    asked = len(session.asked)
    device.unprotect()
    assert len(session.asked) == asked, "once is enough"
    device.restore_protection()
    assert session.events == []
    assert not session.statuses


def test_an_open_flash_has_no_status_register_written() -> None:
    device, session = device_on(listed(OPEN), 0, 0, 0, 0)
    device.unprotect()
    device.restore_protection()
    assert {command for command, _ in session.asked} == {"ReadSR"}


def test_a_flash_that_stays_protected_is_named() -> None:
    device, _ = device_on(listed(PROTECTED), 0x04, 0x40, 0x04, 0x40)
    with pytest.raises(TargetError, match="TH25Q16HB stays protected: its status register reads 0x4004"):
        device.unprotect()


def test_a_flash_that_stays_busy_is_named() -> None:
    device, _ = device_on(listed(PROTECTED), *[0x05, 0x40] * BUSY_READS)
    with pytest.raises(TargetError, match="is busy and stays so"):
        device.unprotect()


def test_protection_that_is_not_put_back_is_a_note() -> None:
    device, session = device_on(listed(PROTECTED), 0x04, 0x40, 0, 0, 0, 0, 0, 0)
    device.unprotect()
    device.restore_protection()
    assert session.events == [Note("the flash's protection was not put back: its status reads 0x0000")]


def test_a_flash_in_no_list_is_not_unlocked_by_guessing() -> None:
    device, session = device_on(TARGET_N)
    device.unprotect()
    device.restore_protection()
    assert session.asked == []


def writes(session: ScriptedSession) -> list[tuple[str, int]]:
    """Status registers written: command and value."""
    return [(command, value) for command, value in session.asked if command.startswith("WriteSR")]


def test_only_protection_bits_are_written_and_the_found_ones_put_back() -> None:
    # 0x4204: block-protect field 1 and the complement bit, which protect, and QE (0x0200), which does not
    device, session = device_on(listed(0x4204), 0x04, 0x42, 0x00, 0x02, 0x00, 0x02, 0x04, 0x42)
    device.unprotect()
    device.restore_protection()
    assert [value for _, value in writes(session)] == [0x0200, 0x4204]


def test_protection_is_put_back_as_it_was_before_the_first_session() -> None:
    device, session = device_on(listed(OPEN), 0, 0, 0, 0, 0x04, 0x40)
    device.original_status = PROTECTED  # a write that did not end had found it, and left the flash open
    device.unprotect()
    device.restore_protection()
    assert [value for _, value in writes(session)] == [PROTECTED]
    assert session.events == []


def test_an_erase_without_effect_has_protection_taken_off_again() -> None:
    device, session = device_on(listed(PROTECTED), 0x04, 0x40, 0, 0, 0x04, 0x40, 0, 0)
    device.unprotect()
    device.unprotect(again=True)
    assert [value for _, value in writes(session)] == [0, 0]


def test_protection_that_nobody_took_off_is_not_put_back() -> None:
    device, session = device_on(listed(PROTECTED))
    device.restore_protection()
    assert session.asked == []


def test_a_flash_is_waited_for_while_it_is_busy() -> None:
    device, session = device_on(listed(OPEN), *[0x01, 0x00] * (BUSY_READS - 1), 0x00, 0x00)
    device.unprotect()
    assert len(session.asked) == 2 * BUSY_READS


def test_a_kept_crc_disarms_a_bootloader_as_any_other_does() -> None:
    device, session = device_on(TARGET_T)
    device.erase(ERASE_SECTOR, 0x20000)
    device.agreed_crc(0x20000, 0x1000)
    session.asked.clear()
    device.erase(ERASE_SECTOR, 0x21000)
    device.erase(ERASE_SECTOR, 0x22000)
    assert session.asked == [LINK_CHECK, (str(ERASE), 0x21000), (str(ERASE), 0x22000)]
