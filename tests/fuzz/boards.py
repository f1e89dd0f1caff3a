"""What must hold for any bytes that describe a board: a configuration, a template, a device, a database, a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Final

from tests.board.evidence import HERE
from tests.board.openbeken_commands import faults_of
from wattrail.board import (
    ExportTarget,
    devices_of_database,
    disagreements,
    export_board,
    known_boards,
    load_front_panel,
    match_boards,
    parse_board,
    parse_configuration,
    search_boards,
    wiring_of_configuration,
    wiring_of_device,
    wiring_of_template,
)
from wattrail.errors import WattrailError

__all__ = ["WORDS", "board_file", "description", "descriptions", "files"]

WORDS: Final = (
    b"rl1_pin",
    b"bt1_lv",
    b"chip_type",
    b"ele_pin",
    b"module",
    b"pins",
    b"rolenames",
    b":",
    b",",
    b"{",
    b'"',
    b"26",
)


def description(data: bytes) -> None:
    """Read as each kind of description: refused, or matched with shares from 0 to 1 and never a crash."""
    text = data.decode("utf-8", errors="replace")
    with suppress(WattrailError):
        assert isinstance(search_boards("lspa9", (), devices_of_database(text, "fuzz")), tuple)
    with suppress(WattrailError):
        found = parse_configuration(text, "fuzz")
        observed = [wiring_of_configuration(found, "configuration"), wiring_of_template(found, "template")]
        observed.append(wiring_of_device(found, found, "device"))
        disagreements(observed)
        for one in observed:
            assert all(0.5 <= match.agreement <= 1 for match in match_boards(one, known_boards()))


def board_file(data: bytes) -> None:
    """A file is refused, or its board can be exported, in the grammar of the firmware."""
    with suppress(WattrailError):
        board = parse_board(data.decode("utf-8", errors="replace"), name="fuzz", where="fuzz")
        for target in ExportTarget:
            with suppress(WattrailError):
                files_of = export_board(board, target, load_front_panel())
                assert target is not ExportTarget.OPENBEKEN or not list(faults_of(files_of["autoexec.bat"]))


@cache
def descriptions() -> Sequence[bytes]:
    """Descriptions that other people's tools wrote."""
    configurations = json.loads((HERE / "stock_configurations.json").read_text(encoding="utf-8"))
    answers: Mapping[str, str] = json.loads((HERE / "openbeken_answers.json").read_text(encoding="utf-8"))
    made = [json.dumps(one).encode() for one in configurations[:4]]
    made += [str(one["device_configuration"]).replace("'", "").replace(" ", "").encode() for one in configurations[4:6]]
    return (*made, *(answer.encode() for answer in answers.values()), (HERE / "openbeken_devices.json").read_bytes())


@cache
def files() -> Sequence[bytes]:
    """Board files of ours."""
    folder = HERE.parents[1] / "src/wattrail/board/data"
    return tuple(
        (folder / f"{name}.toml").read_bytes() for name in ("pziot-e01", "rr620w", "sonoff-s31", "lspa9-bl0937")
    )
