"""Opens a flasher by the URL of its port, under a lock that other processes respect."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from wattrail.clock import Clock
from wattrail.errors import UrlError
from wattrail.flasher.events import Listener
from wattrail.flasher.file_lock import port_lock
from wattrail.flasher.flasher import PATIENCE_S, Flasher
from wattrail.flasher.trace import ResetBy
from wattrail.sanitize import hide_credentials
from wattrail.transport import Port, crosses_network, open_port
from wattrail.transport.discovery import adapter_chip
from wattrail.urls import device_url, split

__all__ = ["open_flasher"]


def open_flasher(
    url: str,
    *,
    reset: ResetBy = "person",
    most_baud: int | None = None,
    patience_s: float = PATIENCE_S,
    listener: Listener | None = None,
    folder: Path | None = None,
    clock: Clock | None = None,
) -> Flasher:
    """A flasher on the port of a URL, or of a device such as ``/dev/ttyUSB0`` or ``COM5``; close it by ``with``.

    ``reset``: the modem line wired to CEN, or a person who resets when told. ``most_baud``: the fastest rate to try;
    by itself 2000000 with a wired line, 921600 without. ``patience_s``: how long to wait for a reset, or for a cable to
    come back. ``listener`` is called with every event. ``folder`` keeps each board's journal and backups: without it a
    write needs a path for its backup, and cannot know of an earlier one that was cut. Raises UrlError, PortOpenError,
    MissingExtra.
    """
    url = device_url(url)

    def opened() -> Port:
        carrier = open_port(url, clock=clock)
        if not isinstance(carrier, Port):
            carrier.close()
            raise UrlError(f"{url!r} is an SPI bus", hint="a chip is flashed over its UART1: serial:///dev/ttyUSB0")
        return carrier

    lock = port_lock(hide_credentials(url.partition("?")[0]))
    with suppress(OSError):  # where there can be no lock file, the system's own lock on the device has to do
        lock.acquire()
    try:
        port = opened()
    except BaseException:
        lock.release()
        raise
    return Flasher(
        port,
        reset=reset,
        most_baud=most_baud,
        patience_s=patience_s,
        listener=listener,
        folder=folder,
        reopen=opened,
        adapter=adapter_chip(split(url)),
        network=crosses_network(url),
        lock=lock,
    )
