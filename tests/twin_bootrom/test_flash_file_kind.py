"""The file that keeps a twin's flash is a file: a device of the machine is not put in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattrail.errors import ConfigError
from wattrail.twin.bootrom.flash import NorFlash
from wattrail.twin.bootrom.flash_file import hold_image


def test_what_is_not_a_regular_file_is_refused_and_stays(tmp_path: Path) -> None:
    link = tmp_path / "flash.bin"
    link.symlink_to("/dev/null")  # through a link: a mistake here must not replace the device itself
    with pytest.raises(ConfigError, match="is not a regular file"), hold_image(NorFlash(0x1560EB), link):
        pass
    assert link.is_symlink()
