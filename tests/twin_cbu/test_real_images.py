"""Images and dumps of a person's own folder boot on the emulated module: ``make firmware FIRMWARE=folder``."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import pytest

from tests.twin_cbu.conftest import FLASH_ID
from wattrail.errors import ImageError
from wattrail.twin.bootrom.flash import ProtectedFlash
from wattrail.twin.cbu.firmware import load_firmware
from wattrail.twin.cbu.machine import Cbu
from wattrail.twin.cbu.stalls import RunObserver

FOLDER = os.environ.get("FIRMWARE", "")
DEVICE_S = float(os.environ.get("SECONDS", "20"))
IMAGES = sorted(Path(FOLDER).rglob("*.bin")) if FOLDER else []

MILESTONES = {
    "app": rb"J 0x10000",
    "calibrated": rb"calibration_main over|lpf_i & q in flash",
    "network stack": rb"Initializing TCP/IP|app_init finished|tcp_port:",
    "main": rb"Main_Init_After_Delay done|mf_init succ|key_addr",
    "soft-AP": rb"uap_ip_start|softap: 1",
}
"""What the log of a stage says, of whatever firmware."""


@pytest.mark.skipif(not IMAGES, reason="no images: make firmware FIRMWARE=folder")
@pytest.mark.parametrize("image", IMAGES, ids=lambda path: path.stem[:60])
def test_an_image_starts_its_app_and_its_network_stack(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        loaded = load_firmware(image.read_bytes())
    except ImageError as error:
        pytest.skip(f"not for this module: {error}")
    machine = Cbu(loaded.chip, ProtectedFlash(FLASH_ID, image=loaded.flash), start=loaded.start)
    log, sent, observer = bytearray(), bytearray(), RunObserver(machine)
    machine.uart("uart2").listen(log.extend)
    machine.uart("uart1").listen(sent.extend)

    began, found = time.process_time(), []
    while machine.seconds < DEVICE_S:
        machine.run_for(0.01)
        found += observer.sample()

    reached = [name for name, pattern in MILESTONES.items() if re.search(pattern, log)]
    talks = "TuyaMCU" if b"\x55\xaa\x00" in sent else "BL0942" if b"\x58\xaa" in sent else ""
    with capsys.disabled():
        sys.stdout.write(
            f"\n  BK7231{loaded.chip}: {', '.join(filter(None, (*reached, talks)))}; "
            f"{time.process_time() - began:.1f} s of CPU, {log.count(10)} lines\n"
        )
        sys.stdout.writelines(f"    {finding}\n" for finding in found)
    assert {"network stack", "main"} & {*reached}
    assert not [finding for finding in found if finding.kind in ("resets", "undefined")]
