"""Which chip answers, decided from what it said, with the reasons.

A BK7231N and a BK7231M have the same boot ROM and the same chip number. What tells them apart is the code key in the
eFuse: an M's is all zero. An all-zero key may also mean that reading it is barred, so the first words of the
application have a say: plain ARM code on an M, enciphered on an N. Where the witnesses contradict each other, no chip
is named: an image for the wrong one starts no more.

Source: bk-boot/rom, bk-boot/efuse, bk-boot/hosts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from wattrail.bk7231 import Chip
from wattrail.bootrom.commands import Responder
from wattrail.bootrom.constants import CHIP_ID_N, OTHER_CHIPS, TUYA_KEY
from wattrail.bootrom.efuse import EfuseBytes
from wattrail.wire import hex_pairs

__all__ = ["Evidence", "Identity", "identify"]

ARM_BRANCH: Final = 0xEA
"""Top byte of the unconditional branch that plain code starts with."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was asked and answered. None: no answer; ``..._silent`` says that it was asked for all the same.

    ``chip_id``: register 0x800000. ``boot_version``: 16 bytes of text. ``app_head``: what the flash holds from
    0x11000, at least 8 bytes, as it stands there.
    """

    chip_id: int | None = None
    chip_id_silent: bool = False
    boot_version: bytes | None = None
    boot_version_silent: bool = False
    efuse: EfuseBytes | None = None
    app_head: bytes | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """The decision. ``chip`` None: not known, and ``reasons`` say why; ``responder`` may be known all the same."""

    chip: Chip | None
    responder: Responder | None
    reasons: tuple[str, ...]


def identify(evidence: Evidence) -> Identity:
    """The chip, as far as the evidence carries."""
    if evidence.chip_id is not None:
        return _by_number(evidence.chip_id, evidence)
    if not evidence.chip_id_silent:
        return Identity(None, None, ("the chip number has not been asked for",))
    silent = "silent when asked for its chip number, as every bootloader is"
    if evidence.boot_version is not None:
        return _by_version(evidence.boot_version, silent)
    if evidence.boot_version_silent:
        return Identity(None, None, (silent, "no boot version either: another Beken bootloader, or the link is dying"))
    return Identity(None, None, (silent, "the boot version has not been asked for"))


def _by_version(version: bytes, silent: str) -> Identity:
    text = version.rstrip(b"\0").decode("ascii", "replace")
    if text.startswith("BK7231S_"):
        return Identity(Chip.T, Responder.BOOTLOADER, (silent, f"boot version {text}, the BK7231T's bootloader"))
    return Identity(None, Responder.BOOTLOADER, (silent, f"boot version {text!r} belongs to no chip known here"))


def _by_number(number: int, evidence: Evidence) -> Identity:
    said = f"chip number {number:#x}"
    if number != CHIP_ID_N:
        name = OTHER_CHIPS.get(number)
        what = f"a {name}, which this room cannot flash" if name else "no chip known here"
        return Identity(None, None, (f"{said}: {what}",))
    found = Identity(None, Responder.BOOT_ROM, (f"{said}: BK7231N or BK7231M",))
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
            return _because(found, "yet the application stands there in plain code: it cannot run on this chip")
        return replace(found, chip=Chip.N)
    found = _because(found, "eFuse key all zero: a BK7231M, or reading it is barred")
    if code == "enciphered":
        return _because(found, "yet the application is enciphered: a key that cannot be read, or an N's image on an M")
    if code == "plain":
        found = _because(found, "the application is plain code")
    return replace(found, chip=Chip.M)


def _code_kind(head: bytes | None) -> str | None:
    """How the application stands in flash; None if blank or not read."""
    if head is None or len(head) < 8 or set(head[:8]) in ({0xFF}, {0x00}):
        return None
    return "plain" if head[3] == ARM_BRANCH else "enciphered"


def _because(identity: Identity, reason: str) -> Identity:
    return replace(identity, reasons=(*identity.reasons, reason))
