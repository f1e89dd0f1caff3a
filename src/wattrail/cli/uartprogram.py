"""``wattrail uartprogram``: the command line of an older flasher, for guides that tell people to type it.

Options, defaults and hexadecimal numbers are those of uartprogram. Source: bk-boot/hosts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter, validators

from wattrail.bk7231 import APP_START
from wattrail.bootrom.constants import BAUD_AT_RESET
from wattrail.cli import output
from wattrail.cli.exits import UsageError
from wattrail.cli.flash.reading import read
from wattrail.cli.flash.session import BoardOptions, ImagePlace, RangeOptions, WritingOptions
from wattrail.cli.flash.writing import check_image, load_unchecked, write_image
from wattrail.flasher import is_placed
from wattrail.image import Image

_UNPACK_HINT: Final = "'wattrail image convert FILE OUT --to plain' takes the code out of an image"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Typed:
    """The options of uartprogram, as they were."""

    device: Annotated[str, Parameter(name=("--device", "-d"), help="Serial device (/dev/ttyUSB0).")] = "/dev/ttyUSB0"
    startaddr: Annotated[
        str | None,
        Parameter(name=("--startaddr", "-s"), help="Address in hexadecimal; else the image's own, or 11000."),
    ] = None
    length: Annotated[str, Parameter(name=("--length", "-l"), help="Bytes to read, in hexadecimal (119000).")] = (
        "119000"
    )
    baudrate: Annotated[
        int | None,
        Parameter(
            name=("--baudrate", "-b"),
            help="Fastest rate to try; else as fast as the line carries.",
            validator=validators.Number(gte=BAUD_AT_RESET, lte=4_000_000),
        ),
    ] = None
    unprotect: Annotated[bool, Parameter(name=("--unprotect", "-u"), help="Taken and not needed.")] = False
    read: Annotated[bool, Parameter(name=("--read", "-r"), help="Read flash into FILENAME.")] = False
    write: Annotated[bool, Parameter(name=("--write", "-w"), help="Write FILENAME to flash; also if left out.")] = False
    unpackage: Annotated[bool, Parameter(name=("--unpackage", "-p"), help="Not done here.")] = False

    def check(self) -> None:
        """Raise UsageError for what cannot be done."""
        if self.unpackage:
            raise UsageError("--unpackage touches no board, and is not done here", hint=_UNPACK_HINT)
        if self.read and self.write:
            raise UsageError("--read and --write exclude each other; keep one of them")

    @property
    def start(self) -> int | None:
        """Where to begin, None if not given. Raises UsageError for what is not a number."""
        return None if self.startaddr is None else _hexadecimal(self.startaddr, "--startaddr")


def uartprogram(
    filename: Annotated[Path, Parameter(help="The image to write, or the file to read into.")],
    *,
    typed: Typed | None = None,
    writing: WritingOptions | None = None,
    options: BoardOptions | None = None,
) -> None:
    """Take uartprogram's command line, and do it safely.

    The options are those of uartprogram, hexadecimal numbers included. What is done is 'wattrail flash write' or 'flash
    read': with safety checks and a backup before, only what differs, and a comparison by CRCs after.
    """
    typed, options = typed or Typed(), options or BoardOptions()
    typed.check()
    if typed.baudrate is not None:
        options = replace(options, baud=typed.baudrate)
    if typed.read:
        if filename.exists():
            raise UsageError(f"{filename} exists already", hint="name another file: nothing is replaced here")
        where = RangeOptions(
            start=APP_START if typed.start is None else typed.start, length=_hexadecimal(typed.length, "--length")
        )
        read(typed.device, filename, where=where, options=options)
        return
    writing = writing or WritingOptions()
    allow = writing.check()
    image = load_unchecked(filename, allow)
    place = ImagePlace(start=_start(image, typed.start))
    check_image(image, place, allow)
    output.note("a backup comes first; then only what differs is written, and all of it is checked by the chip's CRCs")
    if typed.unprotect:
        output.note("--unprotect is not needed: protection is taken off where it is on, and put back afterwards")
    write_image(typed.device, filename, image, place=place, writing=writing, options=options)


def _start(image: Image, start: int | None) -> int | None:
    """Where the image goes: what was typed, else where it belongs (None), else where uartprogram would put it."""
    return start if start is not None or is_placed(image) else APP_START


def _hexadecimal(text: str, option: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        raise UsageError(f"{option} {text}: not a hexadecimal number", hint="for example 0x11000, or 11000") from None
