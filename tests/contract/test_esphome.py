"""ESPHome itself takes the configuration of every board that we export to it.

``make test`` installs it (.venv/esphome); ESPHOME_PYTHON names the Python of another one. Nothing is compiled: what is
in a lambda is looked up in the header of the component that it calls.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wattrail.board import known_boards, load_front_panel
from wattrail.board.esphome import esphome_yaml
from wattrail.calibration import Calibration

PYTHON = os.environ.get("ESPHOME_PYTHON") or f"{sys.prefix}/esphome/bin/python"
pytestmark = pytest.mark.skipif(
    not Path(PYTHON).exists(), reason="there is no ESPHome: make test installs it, or ESPHOME_PYTHON names one"
)
DRIVER = Path(__file__).with_name("esphome_driver.py")
SECRETS = "wifi_ssid: house\nwifi_password: correct horse\n"
CONSTANTS = Calibration(15987.125, 272302.6875, 683.023987, inverted=True)
PLATFORMS = {"BK7231N": "bk72xx", "BK7231T": "bk72xx", "BK7238": "bk72xx", "ESP8266": "esp8266"}
BOARDS = [board for board in known_boards() if board.chip in PLATFORMS]


def judged(folder: Path) -> dict[str, Any]:
    """What ESPHome says to every configuration in a folder."""
    done = subprocess.run([PYTHON, str(DRIVER), str(folder)], capture_output=True, text=True, timeout=300, check=True)
    found: dict[str, Any] = json.loads(done.stdout)["results"]
    return found


def test_esphome_takes_the_export_of_every_board(tmp_path: Path) -> None:
    panel = load_front_panel()
    wanted: dict[str, str | None] = {"broken": None}
    (tmp_path / "secrets.yaml").write_text(SECRETS, encoding="utf-8")
    (tmp_path / "broken.yaml").write_text("esphome: {name: broken}\nbk72xx: {board: nothing}\n", encoding="utf-8")
    for board in BOARDS:
        scales = (None, CONSTANTS) if board.meter.is_signed else (None,)
        for scale in scales:
            name = f"{board.name}-calibrated" if scale else board.name
            (tmp_path / f"{name}.yaml").write_text(esphome_yaml(board, panel, scale), encoding="utf-8")
            wanted[name] = PLATFORMS[board.chip]
    assert len(wanted) > 100
    found = judged(tmp_path)
    assert {name: one["platform"] for name, one in found.items()} == wanted, [
        one["said"] for name, one in found.items() if one["platform"] != wanted[name]
    ]


def test_methods_that_our_lambdas_call_are_in_esphomes_headers() -> None:
    text = "".join(esphome_yaml(board, load_front_panel()) for board in BOARDS)
    methods = set(re.findall(r"(?:id\(wifi_link\)|nowhere)\.(\w+)\(", text))
    assert methods == {"set_sta", "set_ap_timeout", "is_connected", "set_ssid", "set_password"}
    where = "import esphome.components.wifi as wifi; print(wifi.__path__[0])"
    folder = subprocess.run(
        [PYTHON, "-c", where], capture_output=True, text=True, timeout=60, check=True
    ).stdout.strip()
    header = (Path(folder) / "wifi_component.h").read_text(encoding="utf-8")
    assert all(re.search(rf"\b{method}\(", header) for method in methods)
