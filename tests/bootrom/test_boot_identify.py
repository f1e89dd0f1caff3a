"""Which chip it is: N, M and T told apart, or no name at all, and always with reasons."""

from __future__ import annotations

import pytest

from wattrail.bootrom import Chip, ChipEvidence, Responder, identify
from wattrail.bootrom.constants import TUYA_KEY
from wattrail.bootrom.identify import EfuseBytes

KEYED = EfuseBytes(TUYA_KEY, (True,) * 16)
FOREIGN = EfuseBytes(bytes(range(16)), (True,) * 16)
EMPTY = EfuseBytes(bytes(16), (True,) * 16)
BARRED = EfuseBytes(bytes(16), (False,) * 16)
ENCIPHERED = bytes.fromhex("2F 07 B5 94 35 FF 2A 9B")
PLAIN = bytes.fromhex("0E 00 00 EA 14 F0 9F E5")
BLANK = b"\xff" * 8


@pytest.mark.parametrize(
    ("efuse", "head", "chip", "because"),
    [
        (KEYED, None, Chip.N, "Tuya's"),
        (KEYED, ENCIPHERED, Chip.N, "Tuya's"),
        (KEYED, BLANK, Chip.N, "Tuya's"),
        (FOREIGN, None, Chip.N, "not Tuya's: only an image enciphered with it will run"),
        (KEYED, PLAIN, None, "but the application is plain code"),
        (EMPTY, None, Chip.M, "all zero: a BK7231M"),
        (EMPTY, PLAIN, Chip.M, "the application is plain code"),
        (EMPTY, BLANK, Chip.M, "all zero"),
        (
            EMPTY,
            ENCIPHERED,
            None,
            "but the application is enciphered: a key that cannot be read, or an N's image on an M",
        ),
        (BARRED, None, None, "its valid bits are not all set"),
        (None, None, None, "the eFuse has not been read"),
    ],
)
def test_n_and_m_share_a_number_and_are_told_apart_by_key_and_code(efuse, head, chip, because: str) -> None:
    found = identify(ChipEvidence(chip_id=0x7231C, efuse=efuse, app_head=head))
    assert (found.chip, found.responder) == (chip, Responder.BOOT_ROM)
    assert found.reasons[0] == "chip number 0x7231c: BK7231N or BK7231M"
    assert because in found.reasons[-1]


def test_tuya_s_key_is_the_four_words_that_a_real_n_printed() -> None:
    words = [int.from_bytes(TUYA_KEY[place : place + 4], "little") for place in range(0, 16, 4)]
    assert words == [0x510FB093, 0xA3CBEADC, 0x5993A17E, 0xC7ADEB03]


def test_silence_and_a_boot_version_are_a_t() -> None:
    found = identify(ChipEvidence(chip_id_silent=True, boot_version=b"BK7231S_1.0.5\0\0\0"))
    assert (found.chip, found.responder) == (Chip.T, Responder.BOOTLOADER)
    assert "BK7231S_1.0.5" in found.reasons[-1]


@pytest.mark.parametrize(
    ("evidence", "because"),
    [
        (ChipEvidence(), "has not been asked for"),
        (ChipEvidence(chip_id_silent=True), "the boot version has not been asked for"),
        (
            ChipEvidence(chip_id_silent=True, boot_version_silent=True),
            "another Beken bootloader, or the link is failing",
        ),
        (ChipEvidence(chip_id_silent=True, boot_version=b"BK9999_1"), "belongs to no known chip"),
        (ChipEvidence(chip_id=0x7238), "a BK7238, which wattrail cannot flash"),
        (ChipEvidence(chip_id=0xFFFFFFFF), "not a known chip"),
    ],
)
def test_what_is_not_known_gets_no_name(evidence: ChipEvidence, because: str) -> None:
    found = identify(evidence)
    assert found.chip is None
    assert because in found.reasons[-1]
