"""Tells systemd that the service is ready, stopping and alive: the protocol of sd_notify(3), one datagram a message."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Final

from wattrail.gateway.threads import start_thread

__all__ = ["SystemdNotifier"]

_BEATS_PER_LIMIT: Final = 3
"""sd_watchdog_enabled(3) advises half the limit; a third leaves room for one datagram that is late."""


class SystemdNotifier:
    """Sends to the socket in NOTIFY_SOCKET; without one, as outside systemd, every call does nothing.

    Only this process uses the socket: its variables are taken out of ``environment``, so that no child inherits them.
    """

    def __init__(self, environment: MutableMapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        self._address = environment.pop("NOTIFY_SOCKET", "")
        self._beat_s = _beat_s(environment)
        for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
            environment.pop(name, None)
        self._stopping = threading.Event()

    def ready(self, status: str) -> None:
        """The service runs; ``status`` is what systemctl shows."""
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """The configuration is read again; ``ready`` ends that."""
        # By hand, for Type=notify-reload needs systemd 253, and Debian 12 has an older one.
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The service ends; no more signs of life are sent."""
        self._stopping.set()
        self._send("STOPPING=1")

    def watch(self, is_alive: Callable[[], bool]) -> None:
        """Send signs of life, in a thread of its own, as long as ``is_alive`` says so; it may block."""
        if self._address and self._beat_s:
            start_thread(lambda: self._beat(is_alive), name="systemd-watchdog")

    def _beat(self, is_alive: Callable[[], bool]) -> None:
        while not self._stopping.is_set():
            if is_alive():
                self._send("WATCHDOG=1")
            self._stopping.wait(self._beat_s)

    def _send(self, message: str) -> None:
        """A manager that does not listen costs no reading: the message is lost."""
        if not self._address or not hasattr(socket, "AF_UNIX"):
            return
        # Such a name is in the abstract namespace, which has a zero byte there. Source: sd_notify(3)
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.setblocking(False)
                line.sendto(message.encode(), address)
        except OSError:
            return


def _beat_s(environment: Mapping[str, str]) -> float:
    """Seconds between signs of life; 0 where none are asked for, or of another process."""
    # A child inherits the variables, and must not beat for its parent. Source: sd_watchdog_enabled(3)
    limit, process = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not limit.isdecimal() or process not in {"", str(os.getpid())}:
        return 0.0
    return int(limit) / 1e6 / _BEATS_PER_LIMIT
