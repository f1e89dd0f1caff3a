"""The service manager: a real socket hears the messages, and systemd's own checker reads the unit."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from wattrail.app.systemd_notify import SystemdNotifier

LONGEST_S = 180.0
UNIT = Path(__file__).parents[2] / "packaging" / "systemd" / "wattrail.service"


def listening(path: Path) -> socket.socket:
    """The end of a service manager."""
    line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    line.bind(str(path))
    line.settimeout(LONGEST_S)
    return line


def heard(line: socket.socket, beginning: str) -> str:
    """The next message that begins so; others before it are passed over."""
    while not (message := line.recv(4096).decode()).startswith(beginning):
        pass
    return message


def test_a_gateway_says_ready_alive_and_stopping(tmp_path: Path) -> None:
    environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "n"), "WATCHDOG_USEC": "300000", "HOME": str(tmp_path)}
    environment |= {"XDG_DATA_HOME": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    command = [sys.executable, "-m", "wattrail", "run", "--no-web", "--no-past"]
    with (
        listening(tmp_path / "n") as line,
        subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL) as process,
    ):
        guard = threading.Timer(LONGEST_S, process.kill)
        guard.start()
        try:
            assert heard(line, "READY=1") == "READY=1\nSTATUS=2 meters, no page"
            for _ in range(3):
                heard(line, "WATCHDOG=1")
            process.send_signal(signal.SIGTERM)
            heard(line, "STOPPING=1")
            assert process.wait(LONGEST_S) == 0
        finally:
            guard.cancel()
            process.kill()


def test_what_hangs_gives_no_sign_of_life(tmp_path: Path) -> None:
    asked, hangs = threading.Event(), threading.Event()

    def is_alive() -> bool:
        asked.set()
        return hangs.wait(LONGEST_S)

    with listening(tmp_path / "n") as line:
        notifier = SystemdNotifier({"NOTIFY_SOCKET": str(tmp_path / "n"), "WATCHDOG_USEC": "3000"})
        notifier.watch(is_alive)
        assert asked.wait(LONGEST_S)
        line.setblocking(False)
        with pytest.raises(BlockingIOError):
            line.recv(4096)
        line.settimeout(LONGEST_S)
        hangs.set()
        heard(line, "WATCHDOG=1")
        notifier.stopping()


def test_outside_systemd_and_after_it_nothing_is_sent_or_raised(tmp_path: Path) -> None:
    environment = {"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}
    for notifier in (SystemdNotifier(environment), SystemdNotifier({})):
        notifier.ready("1 meter")
        notifier.watch(lambda: True)
        notifier.stopping()
    assert environment == {}


@pytest.mark.parametrize("words", [("verify",), ("security", "--offline=true", "--threshold=20")])
def test_systemd_itself_finds_nothing_wrong_with_the_unit(tmp_path: Path, words: tuple[str, ...]) -> None:
    unit = tmp_path / "wattrail.service"
    unit.write_text(UNIT.read_text().replace("/opt/wattrail/bin/wattrail", sys.executable))
    analyser = shutil.which("systemd-analyze")
    assert analyser is not None
    said = subprocess.run([analyser, *words, str(unit)], capture_output=True, text=True, check=False, timeout=LONGEST_S)
    assert said.returncode == 0, said
    assert "wattrail.service" not in said.stderr
