"""Stores of the CPU into the code window become blocks of flash, and only whole ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.twin_cbu.conftest import FLASH_BYTES, FLASH_ID, Program
from wattrail.image.code import TUYA_KEY, check, crypt, strip
from wattrail.twin.bootrom.flash import NorFlash
from wattrail.twin.cbu.snapshot import load_snapshot, save_snapshot
from wattrail.twin.cbu.xip import CodeStores, CodeWindow

ERASED = b"\xff" * 34


def window() -> CodeWindow:
    return CodeWindow(NorFlash(FLASH_ID, size=FLASH_BYTES), TUYA_KEY)


def store_words(stores: CodeStores, address: int, words: range) -> list[int | None]:
    return [stores.store(address + 4 * n, 4, 0x01010101 * n) for n in words]


def test_the_last_word_of_a_block_programs_it_enciphered_and_with_its_crc() -> None:
    flash = NorFlash(FLASH_ID, size=FLASH_BYTES)
    stores = CodeStores(CodeWindow(flash, TUYA_KEY))

    assert store_words(stores, 0x10020, range(8)) == [None] * 7 + [0x11022]

    packed = flash.read(0x11022, 34)
    assert crypt(strip(packed), TUYA_KEY, 0x10020) == bytes(n for n in range(8) for _ in range(4))
    assert check(packed).good == 1


def test_bytes_half_words_and_words_in_any_order_fill_a_block() -> None:
    code = window()
    stores = CodeStores(code)
    store_words(stores, 0x10000, range(7, 1, -1))
    stores.store(0x10004, 2, 0x0101)
    stores.store(0x10006, 1, 0x01)
    stores.store(0x10007, 1, 0x01)

    assert stores.store(0x10000, 4, 0) == 0x11000

    assert code.code(0x10000, 32) == bytes(n for n in range(8) for _ in range(4))


def test_a_block_of_which_a_word_is_missing_stays_erased() -> None:
    code = window()
    stores = CodeStores(code)

    store_words(stores, 0x10000, range(7))
    assert store_words(stores, 0x10020, range(8))[-1] == 0x11022

    assert code.code(0x10000, 32) == b"\xff" * 32


def test_a_half_stored_block_is_part_of_a_snapshot(program: Callable[..., Program], tmp_path: Path) -> None:
    machine = program("small").machine
    store_words(machine.code_stores, 0x100000, range(5))

    save_snapshot(machine, tmp_path / "half")
    other = load_snapshot(tmp_path / "half")
    store_words(other.code_stores, 0x100000, range(5, 8))

    assert other.code.code(0x100000, 32) == bytes(n for n in range(8) for _ in range(4))


def test_a_reset_forgets_a_block_that_is_half_stored(program: Callable[..., Program]) -> None:
    machine = program("small").machine
    store_words(machine.code_stores, 0x100000, range(7))

    machine.reset()
    machine.run_for(0.001)

    assert store_words(machine.code_stores, 0x100000, range(7, 8)) == [None]
