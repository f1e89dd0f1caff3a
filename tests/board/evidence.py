"""Data of other people that several tests look at; README.md has where it is from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def device(words: str) -> dict[str, Any]:
    """The entry of OpenBeken's device database with these words in its name or model."""
    devices = json.loads((HERE / "openbeken_devices.json").read_text(encoding="utf-8"))["devices"]
    return next(one for one in devices if words in f"{one['name']} {one.get('model')}")


def configuration(name: str) -> dict[str, Any]:
    """A stock configuration that was read out of a device."""
    configurations = json.loads((HERE / "stock_configurations.json").read_text(encoding="utf-8"))
    return next(one["device_configuration"] for one in configurations if name in one["name"])
