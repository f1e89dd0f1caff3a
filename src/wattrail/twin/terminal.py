"""A pseudo-terminal whose far end is a twin: to other programs a serial device of this machine.

The rate is what the other program set on its end. A name of termios stands for the usual ones; any other rate is asked
of the Linux kernel, whose pseudo-terminals remember it.
"""

from __future__ import annotations

import os
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from wattrail.errors import PortOpenError

__all__ = ["Terminal", "open_terminal", "running"]

_READ_SIZE: Final = 4096

_TCGETS2: Final = 0x802C_542A
"""Linux: the settings of a terminal with the rates as numbers, where termios has only names for some."""
_SETTINGS2: Final = struct.Struct("=4I B 19s 2I")


class Terminal:
    """The twin's end of a pseudo-terminal. ``path`` is the device that other programs open."""

    def __init__(self, master: int, path: str) -> None:
        import termios

        self._master = master
        self.path = path
        self._attributes = termios.tcgetattr
        self._rates = _rates()

    def fileno(self) -> int:
        """For select."""
        return self._master

    def read(self) -> bytes:
        """What the other program has sent; call it when there is something."""
        return os.read(self._master, _READ_SIZE)

    def write(self, data: bytes) -> None:
        """Hand bytes over. Those for which there is no room are lost: an overrun, as on any UART."""
        with suppress(BlockingIOError):
            os.write(self._master, data)

    @property
    def baud(self) -> int:
        """The rate the other program has set, 0 if it hung up."""
        speed = self._attributes(self._master)[5]
        known = self._rates.get(speed)
        return _number(self._master, speed) if known is None else known


@contextmanager
def open_terminal(baud: int) -> Iterator[Terminal]:
    """A new pseudo-terminal, raw, at this rate until another program sets one.

    Raises PortOpenError where the system has none.
    """
    try:
        import termios
        import tty
    except ImportError as error:
        raise PortOpenError(
            "a twin on a serial device needs a pseudo-terminal, which this system does not have",
            hint="use Linux or another Unix; the twin of a meter is also served on TCP",
        ) from error
    # It has no modem lines: a program that pulses RTS or DTR gets ENOTTY, and uartprogram and bk7231tools end at that.
    # The other end stays open here too, or reading would fail each time the other program closes its own.
    master, slave = os.openpty()
    try:
        os.set_blocking(master, False)
        tty.setraw(slave)
        attributes = termios.tcgetattr(slave)
        attributes[4] = attributes[5] = getattr(termios, f"B{baud}")
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        yield Terminal(master, os.ttyname(slave))
    finally:
        os.close(slave)
        os.close(master)


@contextmanager
def running(run: Callable[[threading.Event], None]) -> Iterator[None]:
    """A thread that is stopped, and waited for, at the end of the block."""
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(stop,), name="wattrail-twin", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _rates() -> dict[int, int]:
    import termios

    return {getattr(termios, name): int(name[1:]) for name in dir(termios) if name[0] == "B" and name[1:].isdigit()}


def _number(terminal: int, speed: int) -> int:
    """A rate without a name: other systems than Linux give the number itself."""
    if sys.platform != "linux":
        return speed
    import fcntl

    settings = fcntl.ioctl(terminal, _TCGETS2, bytes(_SETTINGS2.size))
    return int(_SETTINGS2.unpack(settings)[-1])
