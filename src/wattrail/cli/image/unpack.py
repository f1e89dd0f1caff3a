"""``wattrail image unpack``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli.image.code import Address, Key, under_key
from wattrail.cli.image.files import Source, WriteOptions, read, write
from wattrail.image import unpack as unpacked


def unpack(
    file: Source,
    out: Annotated[Path, Parameter(help="The file to write.")],
    *,
    key: Key = None,
    address: Address = "0x10000",
    options: WriteOptions | None = None,
) -> None:
    """Check code's block CRCs, and take them out.

    The first block that does not hold is named and nothing is written. With --key the code is deciphered too.
    """
    write(out, under_key(unpacked(read(file)), key, address), options or WriteOptions(), sources=(file,))
