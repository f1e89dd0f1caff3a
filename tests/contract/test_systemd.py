"""The Debian package under a systemd that runs: ready, reloaded, watched, restarted, stopped, purged.

``make package`` builds it. DEBIAN_ROOT names a root file system with systemd in it, as a tar file such as ``mmdebstrap
--variant=minbase --include=python3,adduser,ca-certificates,tzdata,systemd-sysv,dbus bookworm debian.tar`` makes. It
boots in systemd-nspawn (package systemd-container), which needs root.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.contract.test_debian_package import PACKAGES, ROOT

LONGEST_S = 180
BOOT = ("systemd-nspawn", "--boot", "--register=no", "--keep-unit", "--console=pipe")
QUICK_WATCHDOG = "[Service]\nWatchdogSec=4\nRestartSec=1\n"
FIRST_METER = '[[meter]]\nname = "house"\nurl = "twin://pziot-e01?scenario=house"\n'

pytestmark = [
    pytest.mark.skipif(not ROOT, reason="DEBIAN_ROOT names no root file system"),
    pytest.mark.skipif(not PACKAGES, reason="make package has built no Debian package"),
    pytest.mark.skipif(os.geteuid() != 0, reason="a container needs root"),
    pytest.mark.skipif(shutil.which("systemd-nspawn") is None, reason="apt-get install systemd-container"),
]


class Machine:
    """A Debian that has booted."""

    def __init__(self, folder: Path, init: int) -> None:
        self.folder, self.init = folder, init

    def start(self, *words: str) -> subprocess.Popen[str]:
        inside = ("nsenter", "-t", str(self.init), "-m", "-u", "-i", "-p", "-n", "-C", "--")
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}
        return subprocess.Popen(
            [*inside, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip

    def run(self, *words: str, code: int = 0) -> str:
        with self.start(*words) as process:
            said, _ = process.communicate(timeout=LONGEST_S)
        assert process.returncode == code, (words, said)
        return said.strip()

    def of_service(self, name: str) -> str:
        return self.run("systemctl", "show", "-P", name, "wattrail")

    @contextmanager
    def journal(self) -> Iterator[subprocess.Popen[str]]:
        """What the journal says of the service from now on."""
        with self.start("journalctl", "--follow", "--lines=0", "--unit=wattrail") as lines:
            guard = threading.Timer(LONGEST_S, os.killpg, (lines.pid, signal.SIGKILL))  # nsenter has a child
            guard.start()
            try:
                yield lines
            finally:
                guard.cancel()
                os.killpg(lines.pid, signal.SIGKILL)


def until(lines: subprocess.Popen[str], text: str) -> None:
    assert lines.stdout is not None
    assert any(text in line for line in lines.stdout), f"the journal ended without {text!r}"


def init_of(nspawn: subprocess.Popen[bytes]) -> int:
    """The first process of the machine that systemd-nspawn starts, once it is systemd."""
    while nspawn.poll() is None:
        with suppress(FileNotFoundError):  # it has helpers that come and go
            for child in Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children").read_text().split():
                if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                    return int(child)
    pytest.fail(f"systemd-nspawn ended with {nspawn.returncode}")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    subprocess.run(["tar", "-xf", ROOT, "-C", tmp_path], check=True)
    shutil.copy(PACKAGES[-1], tmp_path / "root" / "wattrail.deb")
    with subprocess.Popen([*BOOT, "-D", tmp_path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as nspawn:
        guard = threading.Timer(4 * LONGEST_S, nspawn.kill)
        guard.start()
        booted = Machine(tmp_path, init_of(nspawn))
        try:
            booted.run(
                "sh", "-c", "until systemctl is-system-running --wait; do :; done"
            )  # its bus may not be there yet
            yield booted
        finally:
            os.kill(booted.init, signal.SIGKILL)  # the machine with everything in it, however it is
            nspawn.wait(LONGEST_S)
            guard.cancel()


def test_installed_it_runs_is_reloaded_watched_and_stopped(machine: Machine) -> None:
    machine.run("dpkg", "-i", "/root/wattrail.deb")
    assert machine.of_service("ActiveState") == "active"
    assert machine.of_service("StatusText") == "1 meter, page http://127.0.0.1:8042/"

    file = machine.folder / "etc/wattrail/wattrail.toml"
    text = file.read_text()
    file.write_text(text + "[sight]\n")
    machine.run("systemctl", "reload", "wattrail", code=1)
    assert machine.of_service("ActiveState") == "active", "a wrong file changes nothing"
    file.write_text(text + FIRST_METER)
    with machine.journal() as lines:
        machine.run("systemctl", "reload", "wattrail")
        until(lines, "the demonstration ended")
    assert (machine.folder / "var/lib/wattrail/wattrail.sqlite").exists()
    assert machine.of_service("NRestarts") == "0"

    override = machine.folder / "etc/systemd/system/wattrail.service.d"
    override.mkdir()
    (override / "quick.conf").write_text(QUICK_WATCHDOG)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "wattrail")
    for sent, named in (("KILL", "status=9/KILL"), ("STOP", "Watchdog timeout")):
        with machine.journal() as lines:
            machine.run("systemctl", "kill", "--kill-who=main", f"--signal={sent}", "wattrail")
            until(lines, named)
            until(lines, "Started wattrail.service")

    machine.run("systemctl", "stop", "wattrail")
    assert (machine.of_service("Result"), machine.of_service("ExecMainStatus")) == ("success", "0")
    machine.run("dpkg", "-P", "wattrail")
    assert (machine.folder / "var/lib/wattrail/wattrail.sqlite").exists()
    assert machine.run("systemctl", "--failed", "--no-legend") == ""
