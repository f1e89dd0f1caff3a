"""``wattrail flash erase``."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from wattrail.bootrom.geometry import SECTOR
from wattrail.cli.exits import UsageError
from wattrail.cli.flash.opening import BoardOptions, PortText
from wattrail.cli.flash.place import RangeOptions
from wattrail.cli.flash.session import board
from wattrail.cli.flash.writing import WritingOptions, finish, foretell
from wattrail.cli.target import Json
from wattrail.errors import WriteRefused
from wattrail.flasher import Risk
from wattrail.image import Partition, recognise

_OF_NO_CHIP: Final = frozenset({Risk.UNKNOWN, Risk.WRONG_CHIP, Risk.DAMAGED})
"""What a preview would hold against erased bytes."""


def erase(
    port: PortText,
    *,
    where: RangeOptions | None = None,
    writing: WritingOptions | None = None,
    json: Json = False,
    options: BoardOptions | None = None,
) -> None:
    """Erase a partition, or whole sectors, after a backup.

    The radio's calibration stays unless that is allowed, and so does the bootloader that answers here.
    """
    where, writing = where or RangeOptions(), writing or WritingOptions()
    _check(where)
    allow = writing.check()
    with board(port, options, writes=True, json=json) as flasher:
        start, length = where.span(flasher.target)
        _spare_rf(flasher.target.layout["rf"], start, length, allow)
        if writing.dry_run:
            blank = recognise(b"\xff" * length)
            foretell(flasher.preview(blank, start=start, allow=allow | _OF_NO_CHIP), flasher, json=json)
            return
        finish(flasher.erase(start, length, allow=allow, backup=writing.backup), flasher, writing, json=json)


def _spare_rf(rf: Partition, start: int, length: int, allow: Collection[Risk]) -> None:
    """Elsewhere the radio's block is left out of a larger range; here nothing would be left."""
    if Risk.RF not in allow and rf.start <= start and start + length <= rf.end:
        raise WriteRefused(
            f"the RF block at {rf.start:#x} holds radio calibration and MAC address: they exist on this board only",
            risk=Risk.RF.value,
        )


def _check(where: RangeOptions) -> None:
    where.check()
    if where.part is None and (where.start is None or where.length is None):
        raise UsageError("what is to be erased?", hint="name it: --part NAME, or --start and --length")
    if (where.start or 0) % SECTOR or (where.length or 0) % SECTOR or where.length == 0:
        raise UsageError(
            f"{where.length or 0:#x} bytes from {where.start or 0:#x} are no whole sectors of {SECTOR:#x}",
            hint="flash is erased by sectors: begin and end at multiples of 0x1000",
        )
