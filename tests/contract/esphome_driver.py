"""Runs in ESPHome's Python: reads every configuration of a folder, and prints what ESPHome makes of each, as JSON.

One process for all: importing ESPHome takes longer than checking a configuration.
"""

import contextlib
import io
import json
import sys
from pathlib import Path

from esphome.config import read_config
from esphome.const import __version__
from esphome.core import CORE


def main() -> None:
    results = {}
    for path in sorted(Path(sys.argv[1]).glob("*.yaml")):
        if path.name == "secrets.yaml":
            continue
        CORE.reset()
        CORE.config_path = path
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            config = read_config({})
        results[path.stem] = {"platform": CORE.target_platform if config else None, "said": said.getvalue()[-2000:]}
    json.dump({"version": __version__, "results": results}, sys.stdout)


main()
