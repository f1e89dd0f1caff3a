"""How much is looked at, with the reason for each number."""

from __future__ import annotations

from typing import Final

FLASH_MOST: Final = 16 << 20
"""Bytes of the largest flash the boot ROM's commands can count; boards of this family carry 2 MiB, rarely 4."""

FILE_MOST: Final = 2 * FLASH_MOST
"""Bytes of the largest file worth opening: UF2 needs 512 for each 256 of the flash."""

HEADERS_MOST: Final = 64
"""RBL headers looked at in one file: a flash holds three."""

CHECKS_MOST: Final = 2
"""Headers of one partition that are held against its code: the image's own, and one that an earlier image left."""

RECORDS_MOST: Final = 64
"""Entries of a partition table or of an RF block: four and about twenty are usual."""
