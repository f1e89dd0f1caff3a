"""Hands for a board that another terminal serves: a socket of the user's own, one JSON object a line.

``{"press": "button", "seconds": 6}`` holds the button; ``{"led": 3}`` asks what the LED showed in the last 3 seconds;
``{"set": {"volts": 231.0}}`` changes the mains. The answer is an object with ``done`` or ``error``.
"""

from __future__ import annotations

import json
import os
import select
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from wattrail.errors import PortOpenError, WattrailError
from wattrail.simulated_ports import runs_here, runtime_folder
from wattrail.twin.cbu.board import BUTTON_PIN, Board
from wattrail.twin.cbu.peripheral import TICKS_PER_SECOND

__all__ = ["BoardControl", "ask_board", "served_boards"]

_POLL_TICKS: Final = TICKS_PER_SECOND // 20
_MAX_LINE: Final = 4096
_MAX_HOLD_S: Final = 120.0
_ANSWER_S: Final = 10.0
_PREFIX, _SUFFIX = "board-", ".sock"


class BoardControl:
    """Listens as long as the machine runs; only this user can reach it. Close it at the end."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self.path = runtime_folder() / f"{_PREFIX}{os.getpid()}{_SUFFIX}"
        self.path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(4)
        clock = board.machine.clock
        self._poll = clock.alarm("control", self._answer_clients)
        self._poll.set(clock.now + _POLL_TICKS)
        # By an alarm, for a command cannot wait: time passes only after it has been answered.
        self._let_go = clock.alarm("button", lambda: board.machine.pins.drive(BUTTON_PIN, True))

    def close(self) -> None:
        """Listen no more."""
        self._poll.cancel()
        self._listener.close()
        self.path.unlink(missing_ok=True)

    def _answer_clients(self) -> None:
        while select.select([self._listener], [], [], 0)[0]:
            client, _ = self._listener.accept()
            with client, suppress(OSError):
                # On the thread of the module: a client that says nothing stops the device for so long.
                client.settimeout(1.0)
                client.sendall(json.dumps(self._answer(client.recv(_MAX_LINE))).encode() + b"\n")
        self._poll.set(self._board.machine.clock.now + _POLL_TICKS)

    def _answer(self, line: bytes) -> dict[str, object]:
        try:
            asked = json.loads(line)
            if asked.get("press") == "button":
                return self._press(float(asked.get("seconds", 0.2)))
            if "led" in asked:
                return {"done": str(self._board.led.pattern(float(asked["led"])))}
            if "set" in asked:
                held: dict[str, Any] = {name: float(value) for name, value in asked["set"].items()}
                self._board.meter.set(**held)
                return {"done": "set"}
        except (ValueError, TypeError, AttributeError, OverflowError) as error:
            return {"error": str(error)}
        return {"error": "a board knows press, led and set"}

    def _press(self, seconds: float) -> dict[str, object]:
        if not 0 < seconds <= _MAX_HOLD_S:
            return {"error": f"{seconds:g} s: a button is held for up to {_MAX_HOLD_S:.0f} s"}
        machine = self._board.machine
        machine.pins.drive(BUTTON_PIN, False)
        self._let_go.set(machine.clock.now + round(seconds * TICKS_PER_SECOND))
        return {"done": f"the button is held for {seconds:g} s of device time"}


def served_boards() -> tuple[Path, ...]:
    """The sockets of the boards that this user serves now."""
    found = []
    for path in sorted(runtime_folder().glob(f"{_PREFIX}*{_SUFFIX}")):
        if runs_here(path.name[len(_PREFIX) : -len(_SUFFIX)]):
            found.append(path)
        else:
            path.unlink(missing_ok=True)  # its process was killed
    return tuple(found)


def ask_board(path: Path, **asked: object) -> str:
    """What a served board answers. Raises PortOpenError if it does not, WattrailError for what it refuses."""
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(_ANSWER_S)
            link.connect(str(path))
            link.sendall(json.dumps(asked).encode() + b"\n")
            answer = json.loads(link.makefile("rb").readline(_MAX_LINE))
    except (OSError, ValueError) as error:
        raise PortOpenError(f"the board at {path} does not answer: {error}") from error
    if "error" in answer:
        raise WattrailError(f"the board refuses: {answer['error']}")
    return str(answer["done"])
