"""``wattrail flash erase``."""

from __future__ import annotations

from wattrail.bootrom.geometry import SECTOR
from wattrail.cli.exits import UsageError
from wattrail.cli.flash.flash_range import RangeOptions, WritingOptions
from wattrail.cli.flash.session import BoardOptions, PortText, board, finish
from wattrail.cli.flash.view import print_preview
from wattrail.cli.target import Json


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
        if writing.dry_run:
            print_preview(flasher.preview_erase(start, length, allow=allow), flasher, json=json)
            return
        finish(flasher.erase(start, length, allow=allow, backup=writing.backup), flasher, writing, json=json)


def _check(where: RangeOptions) -> None:
    where.check()
    if where.part is None and (where.start is None or where.length is None):
        raise UsageError("nothing was named to erase", hint="name it: --part NAME, or --start and --length")
    if (where.start or 0) % SECTOR or (where.length or 0) % SECTOR or where.length == 0:
        raise UsageError(
            f"{where.length or 0:#x} bytes from {where.start or 0:#x} are not whole sectors of {SECTOR:#x}",
            hint="flash is erased by sectors: begin and end at multiples of 0x1000",
        )
