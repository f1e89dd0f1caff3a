"""``wattrail image convert``, ``add-crc`` and ``strip-crc``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter, validators

from wattrail.cli import output
from wattrail.cli.exits import UsageError
from wattrail.cli.image.files import Source, WriteOptions, load, read, write
from wattrail.image import CodeKey, MissingInput, OutputKind, Recipe, crypt, pack, recognise, unpack
from wattrail.image import convert as converted

Out = Annotated[Path, Parameter(help="The file to write.")]
Key = Annotated[str | None, Parameter(help="Code key: tuya, zero, or 32 hexadecimal digits.")]
To = Literal["plain", "packed", "ua", "qio", "dump", "bootloader", "rbl", "ug"]
_Time = validators.Number(gte=0, lte=0xFFFFFFFF)


def convert(
    file: Source,
    out: Out,
    *,
    to: Annotated[To, Parameter(help="Kind of image to make.")],
    key: Key = None,
    bootloader: Annotated[Path | None, Parameter(help="Image to take the bootloader from, for qio.")] = None,
    version: Annotated[
        str | None, Parameter(help="Version in a header that is made; else the file's own, with the chip.")
    ] = None,
    timestamp: Annotated[int, Parameter(help="Unix time in that header (0).", validator=_Time)] = 0,
    options: WriteOptions | None = None,
) -> None:
    """Make an image into one of another kind.

    What is in the wanted form already is copied byte for byte; the rest is checked, enciphered, packed and given a
    header. A UF2 file counts as the app it carries, a zip archive with one image in it as that image.
    """
    image = load(file)
    for problem in image.problems:
        output.note(f"note: {problem}")
    recipe = Recipe(CodeKey.parse(key) if key else None, _loader(bootloader), version, timestamp)
    try:
        data = converted(image, OutputKind(to), recipe)
    except MissingInput as error:
        error.hint = f"--{error.field}: {error.hint}"
        raise
    output.note(f"{image.kind.value} to {to}: {OutputKind(to).meaning}")
    if image.chip is not None and recognise(data).chip is None:
        output.note(f"note: {out} does not say that it is for a {image.chip.value}; keep that in its name")
    write(out, data, options or WriteOptions(), sources=(file, *([bootloader] if bootloader else [])))


def _loader(path: Path | None) -> bytes | None:
    if path is None:
        return None
    found = load(path).loader
    if found is None:
        raise UsageError(f"{path} has no whole bootloader", hint="a dump or a QIO image has one")
    return found


# ---- block CRCs


Address = Annotated[str, Parameter(help="Logical address of the code (0x10000; a bootloader's is 0).")]


def add_crc(
    file: Source, out: Out, *, key: Key = None, address: Address = "0x10000", options: WriteOptions | None = None
) -> None:
    """Add block CRCs to code.

    Each 32 bytes become 34; the last block is filled up with FF. With --key the code is enciphered first.
    """
    code = read(file)
    filled = code + b"\xff" * (-len(code) % 32)
    write(out, pack(_crypted(filled, key, address)), options or WriteOptions(), sources=(file,))


def strip_crc(
    file: Source, out: Out, *, key: Key = None, address: Address = "0x10000", options: WriteOptions | None = None
) -> None:
    """Check the block CRCs of code, and remove them.

    The first block whose CRC is wrong is named and nothing is written. With --key the code is deciphered too.
    """
    write(out, _crypted(unpack(read(file)), key, address), options or WriteOptions(), sources=(file,))


def _crypted(code: bytes, key: str | None, address: str) -> bytes:
    """Code under a key, or as it is without one. Raises UsageError for an address that is not a number."""
    if key is None:
        return code
    try:
        return crypt(code, CodeKey.parse(key), int(address, 0))
    except ValueError as error:
        raise UsageError(f"--address {address}: {error}") from error
