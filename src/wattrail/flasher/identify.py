"""Who is there: chip, flash and board, by requests that do no harm to any of them; and whether it is still the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from wattrail.bk7231 import APP_START
from wattrail.bootrom import ChipEvidence, Responder, identify, part_of
from wattrail.bootrom.commands import BOOT_VERSION, CHECK_CRC, FLASH_ID, READ_4K, READ_REG, READ_SR
from wattrail.bootrom.constants import CHIP_ID
from wattrail.bootrom.crc_compare import Span, blank_crc
from wattrail.bootrom.geometry import MIB, SECTOR, FlashPart, flash_bytes
from wattrail.bootrom.identify import EfuseBytes, read_efuse
from wattrail.bootrom.requests import crc_range, joined, wire_crc
from wattrail.diagnosis import Stage
from wattrail.errors import ImageError, TargetError
from wattrail.flasher.flash_target import FlashTarget
from wattrail.flasher.session import FlashSession
from wattrail.image import LAYOUTS, Chip
from wattrail.image.rf import decode_rf

__all__ = [
    "ExpectedBoard",
    "agreed_crc",
    "crc",
    "identify_target",
    "query_chip",
    "read_status",
    "responder_of",
    "with_new_rf",
]

MAX_REREADS: Final = 20
"""How often the RF sector is read until it has its CRC."""

USUAL_BYTES: Final = 2 * MIB
SIZES: Final = (MIB // 2, MIB, 2 * MIB, 4 * MIB, 8 * MIB)
RF_SECTORS: Final = {
    Responder.BOOT_ROM: LAYOUTS[Chip.N]["rf"].start,
    Responder.BOOTLOADER: LAYOUTS[Chip.T]["rf"].start,
}


def query_chip(session: FlashSession) -> ChipEvidence:
    """What tells the boot ROM from the bootloader: chip number and boot version."""
    number = session.query_optional(READ_REG, address=CHIP_ID)
    if number is None:
        version = session.query_optional(BOOT_VERSION)
        found = None if version is None or version.refused else version.data
        return ChipEvidence(chip_id_silent=True, boot_version=found, boot_version_silent=found is None)
    return ChipEvidence(chip_id=number["value"])


def responder_of(evidence: ChipEvidence) -> Responder:
    """Who answers; of two unknowns the one with the smaller set of commands, which both have."""
    return identify(evidence).responder or Responder.BOOTLOADER


def identify_target(session: FlashSession, evidence: ChipEvidence) -> FlashTarget:
    """Chip, flash and board. Raises TargetError for a flash whose size is not known, LinkFailed."""
    # No CRC is asked for these: damaged, they name no chip, and then nothing is written.
    head = session.request(Stage.IDENTIFY, READ_4K, address=APP_START).data[:16]
    efuse = _efuse(session) if evidence.chip_id is not None else None
    evidence = replace(evidence, efuse=efuse, app_head=head)
    session.leave_mark()  # reading the eFuse has wiped it out
    identity = identify(evidence)
    responder = responder_of(evidence)
    flash_id = _flash_id(session) if responder is Responder.BOOT_ROM else None
    part = part_of(flash_id) if flash_id else None
    size, measured = _size(session, responder, flash_id)
    rf_crc = rf_crc_of(session, responder, size)
    version = evidence.boot_version
    return FlashTarget(
        identity,
        responder,
        size,
        measured,
        flash_id=flash_id,
        part=part,
        sr=read_status(session, part) if part else None,
        rf_crc=rf_crc,
        rf_blank=rf_crc == blank_crc(SECTOR),
        has_identity=_has_identity(session, responder, rf_crc),
        key=evidence.efuse.key if evidence.efuse else None,
        boot_version=version.rstrip(b"\0").decode("ascii", "replace") if version else None,
    )


def with_new_rf(session: FlashSession, target: FlashTarget) -> FlashTarget:
    """The same board after its RF sector was written: it has another identity now, or none. Raises LinkFailed."""
    rf_crc = rf_crc_of(session, target.responder, target.size)
    identity = _has_identity(session, target.responder, rf_crc)
    return replace(target, rf_crc=rf_crc, rf_blank=rf_crc == blank_crc(SECTOR), has_identity=identity)


@dataclass(slots=True)
class ExpectedBoard:
    """The board that has to answer after a lost link.

    ``rf_may_differ``: its RF block is being written. Where the RF block does not say which board it is (it has none, or
    that is being written), the rest of the flash has to: ``content`` has the CRCs that each span may have, and
    ``changing`` is the span that is being written and may hold anything.
    """

    target: FlashTarget
    rf_may_differ: bool = False
    content: Mapping[Span, frozenset[int]] = field(default_factory=dict)
    changing: Span = (0, 0)

    def confirm(self, session: FlashSession) -> None:
        """Raises TargetError if another board answers."""
        # Asked twice before it is denied: where links are lost, a reply may not come through, and a CRC come damaged.
        if not (self._is_there(session) or self._is_there(session)):
            raise TargetError(
                f"another board answers now than {self.target.board}: nothing is written to it",
                hint="connect the first one again and repeat the command",
            )

    def _is_there(self, session: FlashSession) -> bool:
        target = self.target
        # From the beginning, as of a chip that nobody knows: a T in place of an N is silent to most other questions.
        responder = responder_of(query_chip(session))
        flash_id = _flash_id(session) if responder is Responder.BOOT_ROM else None
        rf_crc = rf_crc_of(session, responder, target.size)
        same = responder is target.responder and flash_id == target.flash_id
        known_by_rf = target.has_identity and rf_crc == target.rf_crc
        return same and (rf_crc == target.rf_crc or self.rf_may_differ) and (known_by_rf or self._content_fits(session))

    def _content_fits(self, session: FlashSession) -> bool:
        return all(
            crc(session, self.target.responder, *span) in fitting
            for span, fitting in self.content.items()
            if span != self.changing
        )


def crc(session: FlashSession, responder: Responder, start: int, length: int) -> int:
    """The chip's CRC of a range of whole sectors. A damaged one matches nothing; it is asked again where that shows."""
    first, end = crc_range(start, length, responder)
    return session.request(Stage.CHECK, CHECK_CRC, length=length, start=first, end=end)["crc"]


def agreed_crc(session: FlashSession, responder: Responder, start: int, length: int) -> int:
    """The same, said twice: for a CRC that is kept and compared much later."""
    first, end = crc_range(start, length, responder)
    return session.request_agreed(Stage.CHECK, CHECK_CRC, length=length, start=first, end=end)["crc"]


def rf_crc_of(session: FlashSession, responder: Responder, size: int) -> int:
    """The CRC of the sector with the radio calibration; that of a blank one where the flash is too small for it."""
    start = RF_SECTORS[responder]
    return agreed_crc(session, responder, start, SECTOR) if start < size else blank_crc(SECTOR)


def _has_identity(session: FlashSession, responder: Responder, rf_crc: int) -> bool:
    """Whether an RF block with a MAC address of the board's own stands where the layout has it."""
    if rf_crc == blank_crc(SECTOR):
        return False
    # Read4K has no checksum of its own, on either responder.
    for _ in range(MAX_REREADS):
        data = session.request(Stage.IDENTIFY, READ_4K, address=RF_SECTORS[responder]).data
        if wire_crc(data) == rf_crc:
            return _is_own(data)
        session.data_differs(Stage.IDENTIFY, "the RF sector arrived damaged")
    return False


def _is_own(sector: bytes) -> bool:
    """Whether a MAC address that only one board has stands there: neither a default, nor one of many receivers."""
    try:
        mac = decode_rf(sector).mac
    except ImageError:
        return False
    if mac is None:
        return False
    # Without its RF block every board is C8:47:8C:00:00:00 (OpenBK7231T_App #404, #418). Source:
    # bk7231-image/rf-block.
    first, tail = int(mac[:2], 16), mac.replace(":", "")[6:]
    return first % 2 == 0 and tail not in ("000000", "FFFFFF")


def read_status(session: FlashSession, part: FlashPart) -> int:
    """The flash's status registers, joined."""
    return joined(
        part, [session.request_agreed(Stage.UNPROTECT, READ_SR, register=opcode)["sr"] for opcode in part.reads]
    )


def _efuse(session: FlashSession) -> EfuseBytes | None:
    """The code key. A register that does not answer, or a controller that is never done, leaves it unknown."""
    steps = read_efuse()
    step = next(steps)
    try:
        while True:
            answer = session.query_optional(step.command, **step.fields)
            if answer is None:
                return None
            step = steps.send(answer["value"])
    except StopIteration as done:
        return done.value if isinstance(done.value, EfuseBytes) else None
    except TargetError:
        return None


def _flash_id(session: FlashSession) -> int | None:
    answer = session.query_optional(FLASH_ID)
    if answer is None:
        return None
    return answer["capacity"] << 16 | answer["kind"] << 8 | answer["manufacturer"]


def _size(session: FlashSession, responder: Responder, flash_id: int | None) -> tuple[int, bool]:
    """Its size in bytes, by the id, or by where its content repeats; and whether that was seen."""
    if flash_id:
        try:
            return flash_bytes(flash_id >> 16), True
        except ValueError:
            pass  # an id that makes no sense: measure
    # The flash ignores the address bits it has not: one size higher the same bytes come again. Source: bk-boot/rom,
    # bk-boot/loader-1.
    here = agreed_crc(session, responder, APP_START, SECTOR)
    if here == blank_crc(SECTOR):
        return USUAL_BYTES, False
    for size in SIZES:
        if agreed_crc(session, responder, APP_START + size, SECTOR) == here:
            return size, True
    raise TargetError(
        f"the flash has none of the usual sizes, and its id is {flash_id or 0:#08x}",
        hint="check the link with 'wattrail flash doctor'; an id of 0 is one that was not read",
    )
