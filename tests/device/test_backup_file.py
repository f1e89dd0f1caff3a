"""The file of a device's backup: what is read back is what was kept, and a damaged file says so."""

from __future__ import annotations

import io
import random
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from wattrail.bk7231 import Chip
from wattrail.device.backup import DeviceBackup, read_backup, write_backup
from wattrail.errors import ImageError

KEPT = DeviceBackup(
    Chip.N, "BK7231N", "AA:BB:CC:DD:EE:FF", "1.18.300", "obk", "2026-06-21T12:00:00+00:00", True,
    sector=bytes(range(256)) * 16, file_system=b"files" * 100,
)  # fmt: skip


def test_a_backup_is_read_as_it_was_kept(tmp_path: Path) -> None:
    write_backup(KEPT, tmp_path / "kept.zip")
    assert read_backup(tmp_path / "kept.zip") == KEPT


def test_one_bent_bit_is_an_error_that_says_so_or_does_no_harm(tmp_path: Path) -> None:
    write_backup(KEPT, tmp_path / "kept.zip")
    whole, path = (tmp_path / "kept.zip").read_bytes(), tmp_path / "bent.zip"
    chance = random.Random(1)
    for _ in range(500):
        bent = bytearray(whole)
        bent[chance.randrange(len(bent))] ^= 1 << chance.randrange(8)
        path.write_bytes(bent)
        with suppress(ImageError):
            found = read_backup(path)
            assert (found.sector, found.file_system) == (KEPT.sector, KEPT.file_system)


def test_a_manifest_that_unpacks_to_more_than_any_has_is_not_read(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", b"{" + b" " * (1 << 26) + b"}")
    (tmp_path / "bomb.zip").write_bytes(packed.getvalue())
    with pytest.raises(ImageError, match=r"its manifest.json has 67108866 bytes"):
        read_backup(tmp_path / "bomb.zip")
