"""``wattrail flash info``."""

from __future__ import annotations

import json as json_text

from wattrail.cli.flash import view
from wattrail.cli.flash.session import BoardOptions, PortText, board
from wattrail.cli.target import Json


def info(port: PortText, *, json: Json = False, options: BoardOptions | None = None) -> None:
    """Say which chip and which flash answer.

    Reads, and changes nothing. Without a wire from RTS or DTR to CEN, reset the board while it is trying.
    """
    with board(port, options, json=json) as flasher:
        text = json_text.dumps(view.board_object(flasher)) if json else "\n".join(view.board_lines(flasher))
    print(text)
