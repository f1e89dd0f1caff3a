"""Nothing breaks while importing where a system lacks what ours has."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import importlib, pkgutil, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in LACKING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

LACKING = set(sys.argv[1].split(","))
for name in LACKING:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Absent())
import wattrail
modules = [found.name for found in pkgutil.walk_packages(wattrail.__path__, "wattrail.")]
for name in modules:
    if not name.startswith(LEFT_OUT) and name != "wattrail.__main__":
        importlib.import_module(name)
print(len(modules))
"""


def every_module_imports_without(*lacking: str, left_out: tuple[str, ...] = ()) -> None:
    program = PROGRAM.replace("LEFT_OUT", repr(left_out))
    done = subprocess.run([sys.executable, "-c", program, ",".join(lacking)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


def test_every_module_imports_on_a_system_without_posix_terminals() -> None:
    every_module_imports_without(
        "termios", "tty", "pty", "fcntl", "pwd", "grp", "resource", "spidev", "gpiod", "pyftdi"
    )


def test_everything_that_needs_no_extra_by_its_nature_imports_without_any() -> None:
    extras = (
        "numpy",
        "fastapi",
        "uvicorn",
        "pydantic",
        "serialx",
        "spidev",
        "gpiod",
        "pyftdi",
        "cryptography",
        "aiomqtt",
        "paho",
        "h11",
        "keyring",
        "psycopg",
    )
    # These need an extra by their nature, and are imported only by what says which one.
    rooms = (
        "wattrail.twin",
        "wattrail.web",
        "wattrail.app.accuracy_actions",
        "wattrail.app.alarm_schema",
        "wattrail.app.calibration_actions",
        "wattrail.app.coming_readings",
        "wattrail.app.demo_past",
        "wattrail.app.gateway_health",
        "wattrail.app.page_actions",
        "wattrail.app.publish_schema",
        "wattrail.app.settings",
        "wattrail.app.virtual_schema",
        "wattrail.app.schema",
        "wattrail.app.tariff_file",
        "wattrail.board.schema",
        "wattrail.device.settings_schema",
        "wattrail.toml_schema.section",
        "wattrail.cli.report",
        "wattrail.image.vectorised",
        "wattrail.store.postgres_",
        "wattrail.store.server_backup",
        "wattrail.store.server_check",
    )
    every_module_imports_without(*extras, left_out=rooms)
