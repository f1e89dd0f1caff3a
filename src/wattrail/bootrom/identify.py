"""Which chip answers, decided from its replies, with the reasons; and reading the eFuse, which the decision needs.

A BK7231N and a BK7231M have the same boot ROM and the same chip number. What tells them apart is the code key in the
eFuse: an M's is all zero. An all-zero key may also mean that reading it is blocked, so the first words of the
application count too: plain ARM code on an M, enciphered on an N. Where these contradict each other, no chip is named,
because an image for the wrong chip does not start.

The eFuse is read through two registers, one byte a round:

    1. read CONTROL   2. write it with the address and the go bit   3. read it until the go bit is 0   4. read RESULT

Source: bk-boot/rom, bk-boot/efuse, bk-boot/hosts.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Final

from wattrail.bk7231 import Chip
from wattrail.bootrom.commands import READ_REG, WRITE_REG, Command, Responder
from wattrail.bootrom.constants import (
    CHIP_ID_N,
    EFUSE_BYTES,
    EFUSE_CLEARED,
    EFUSE_CONTROL,
    EFUSE_GO,
    EFUSE_KEY_BYTES,
    EFUSE_RESULT,
    EFUSE_VALID,
    OTHER_CHIPS,
    TUYA_KEY,
)
from wattrail.errors import TargetError
from wattrail.wire import hex_pairs

__all__ = ["ChipEvidence", "EfuseBytes", "Identity", "RegisterAccess", "identify", "read_efuse"]

ARM_BRANCH: Final = 0xEA
"""Top byte of the unconditional branch that plain code starts with."""


POLL_LIMIT: Final = 100
"""Reads of CONTROL before a byte is given up: the real controller is done before the first one returns."""


@dataclass(frozen=True, slots=True)
class RegisterAccess:
    """One register access: send ``command`` with these ``fields``, and pass back the value of the reply."""

    command: Command
    address: int
    value: int | None = None

    @property
    def fields(self) -> dict[str, int]:
        """The request's fields."""
        return {"address": self.address} if self.value is None else {"address": self.address, "value": self.value}


@dataclass(frozen=True, slots=True)
class EfuseBytes:
    """Bytes from 0 on; ``valid`` says for each whether the controller marked it valid."""

    data: bytes
    valid: tuple[bool, ...]

    @property
    def key(self) -> bytes | None:
        """The 16 bytes of the code key, None if they were not all read and valid."""
        if len(self.data) < EFUSE_KEY_BYTES or not all(self.valid[:EFUSE_KEY_BYTES]):
            return None
        return self.data[:EFUSE_KEY_BYTES]


def read_efuse(count: int = EFUSE_KEY_BYTES) -> Generator[RegisterAccess, int, EfuseBytes]:
    """The accesses that read the first ``count`` bytes, as a generator: send it the value of each reply.

    Raises ValueError for a count that is not 1 to 32, TargetError if the controller never finishes.
    """
    if not 1 <= count <= EFUSE_BYTES:
        raise ValueError(f"the eFuse has {EFUSE_BYTES} bytes, not {count}")
    data, valid = bytearray(), []
    # The old address is cleared in CONTROL before the new one is set, or both would be joined. Source: bk-boot/efuse.
    for address in range(count):
        control = yield RegisterAccess(READ_REG, EFUSE_CONTROL)
        yield RegisterAccess(WRITE_REG, EFUSE_CONTROL, control & ~EFUSE_CLEARED | address << 8 | EFUSE_GO)
        yield from _wait_for_efuse(address)
        result = yield RegisterAccess(READ_REG, EFUSE_RESULT)
        data.append(result & 0xFF)
        valid.append(bool(result & EFUSE_VALID))
    return EfuseBytes(bytes(data), tuple(valid))


def _wait_for_efuse(address: int) -> Generator[RegisterAccess, int, None]:
    for _ in range(POLL_LIMIT):
        control = yield RegisterAccess(READ_REG, EFUSE_CONTROL)
        if not control & EFUSE_GO:
            return
    raise TargetError(
        f"eFuse byte {address}: the controller is still busy after {POLL_LIMIT} reads",
        hint="reset the chip and link again",
    )


# ---- the decision


@dataclass(frozen=True, slots=True)
class ChipEvidence:
    """What was asked and answered. None: no reply; ``..._silent``: although it was asked for.

    ``chip_id``: register 0x800000. ``boot_version``: 16 bytes of text. ``app_head``: what the flash holds from
    0x11000, at least 8 bytes, as stored.
    """

    chip_id: int | None = None
    chip_id_silent: bool = False
    boot_version: bytes | None = None
    boot_version_silent: bool = False
    efuse: EfuseBytes | None = None
    app_head: bytes | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """The decision. ``chip`` None: not known, and ``reasons`` say why; ``responder`` may still be known."""

    chip: Chip | None
    responder: Responder | None
    reasons: tuple[str, ...]


def identify(evidence: ChipEvidence) -> Identity:
    """The chip, as far as the evidence shows it."""
    # The bootloader of a T has no ReadReg: silence, asked twice, is its signature, and then its version decides.
    if evidence.chip_id is not None:
        return _by_number(evidence.chip_id, evidence)
    if not evidence.chip_id_silent:
        return Identity(None, None, ("the chip number has not been asked for",))
    silent = "silent when asked for its chip number, as every bootloader is"
    if evidence.boot_version is not None:
        return _by_version(evidence.boot_version, silent)
    if evidence.boot_version_silent:
        return Identity(
            None, None, (silent, "no boot version either: another Beken bootloader, or the link is failing")
        )
    return Identity(None, None, (silent, "the boot version has not been asked for"))


def _by_version(version: bytes, silent: str) -> Identity:
    text = version.rstrip(b"\0").decode("ascii", "replace")
    if text.startswith("BK7231S_"):
        return Identity(Chip.T, Responder.BOOTLOADER, (silent, f"boot version {text}, the BK7231T's bootloader"))
    return Identity(None, Responder.BOOTLOADER, (silent, f"boot version {text!r} belongs to no known chip"))


def _by_number(number: int, evidence: ChipEvidence) -> Identity:
    number_text = f"chip number {number:#x}"
    # A T never gets here: its loader has no ReadReg. Its 0x7231A is only in lists of other programs.
    if number != CHIP_ID_N:
        name = OTHER_CHIPS.get(number)
        what = f"a {name}, which wattrail cannot flash" if name else "not a known chip"
        return Identity(None, None, (f"{number_text}: {what}",))
    found = Identity(None, Responder.BOOT_ROM, (f"{number_text}: BK7231N or BK7231M",))
    if evidence.efuse is None:
        return _because(found, "the eFuse has not been read")
    key = evidence.efuse.key
    if key is None:
        return _because(found, "the eFuse key was not read as a whole: its valid bits are not all set")
    return _by_key(found, key, _code_kind(evidence.app_head))


def _by_key(found: Identity, key: bytes, code: str | None) -> Identity:
    if any(key):
        whose = "Tuya's" if key == TUYA_KEY else "not Tuya's: only an image enciphered with it will run"
        found = _because(found, f"eFuse key {hex_pairs(key)}, {whose}")
        if code == "plain":
            return _because(found, "but the application is plain code: it cannot run on this chip")
        return replace(found, chip=Chip.N)
    found = _because(found, "eFuse key all zero: a BK7231M, or reading it is blocked")
    if code == "enciphered":
        return _because(found, "but the application is enciphered: a key that cannot be read, or an N's image on an M")
    if code == "plain":
        found = _because(found, "the application is plain code")
    return replace(found, chip=Chip.M)


def _code_kind(head: bytes | None) -> str | None:
    """How the application is stored in flash; None if blank or not read."""
    if head is None or len(head) < 8 or set(head[:8]) in ({0xFF}, {0x00}):
        return None
    return "plain" if head[3] == ARM_BRANCH else "enciphered"


def _because(identity: Identity, reason: str) -> Identity:
    return replace(identity, reasons=(*identity.reasons, reason))
