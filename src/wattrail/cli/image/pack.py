"""``wattrail image pack``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli.image.code import Address, Key, under_key
from wattrail.cli.image.files import Source, WriteOptions, read, write
from wattrail.image import pack as packed


def pack(
    file: Source,
    out: Annotated[Path, Parameter(help="The file to write.")],
    *,
    key: Key = None,
    address: Address = "0x10000",
    options: WriteOptions | None = None,
) -> None:
    """Give code its block CRCs.

    Each 32 bytes become 34; the last block is filled up with FF. With --key the code is enciphered first.
    """
    code = read(file)
    filled = code + b"\xff" * (-len(code) % 32)
    write(out, packed(under_key(filled, key, address)), options or WriteOptions(), sources=(file,))
