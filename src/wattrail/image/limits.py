"""How much is looked at, with the reason for each number."""

from __future__ import annotations

from typing import Final

from wattrail.bk7231 import MAX_FLASH_BYTES

MAX_FILE_BYTES: Final = 2 * MAX_FLASH_BYTES
"""Bytes of the largest file worth opening: UF2 needs 512 for each 256 of the flash."""

MAX_HEADERS: Final = 64
"""RBL headers looked at in one file: a flash holds three."""

MAX_CHECKED_HEADERS: Final = 2
"""Headers of one partition that are held against its code: the image's own, and one that an earlier image left."""

MAX_RECORDS: Final = 64
"""Entries of a partition table or of an RF block: four and about twenty are usual."""
