"""Search over our boards and over a copy of OpenBeken's device database."""

from __future__ import annotations

import pytest

from tests.board.evidence import HERE
from wattrail.board import devices_of_database, known_boards, search_boards
from wattrail.errors import ConfigError

DATABASE = (HERE / "openbeken_devices.json").read_text(encoding="utf-8")


def test_all_words_have_to_occur_in_whatever_order() -> None:
    names = [entry.name for entry in search_boards("bl0942 LSPA9", known_boards())]
    assert names == ["lspa9"]


def test_the_database_is_searched_behind_our_own_boards() -> None:
    found = search_boards("lspa9 bl0942", known_boards(), devices_of_database(DATABASE, "devices.json"))
    assert [(entry.origin, entry.chip, entry.meter) for entry in found] == [
        ("wattrail", "BK7231N", "bl0942"),
        ("OpenBeken", "BK7231N", "bl0942"),
    ]
    assert found[1].page == "https://www.elektroda.com/rtvforum/topic3887748.html"


@pytest.mark.parametrize("text", ["[]", '{"devices": 3}', '{"version": 1}', "{", ""])
def test_a_file_that_is_not_a_device_database_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"devices\.json"):
        devices_of_database(text, "devices.json")


def test_odd_entries_of_a_database_do_no_harm() -> None:
    text = '{"devices": [null, 3, {"name": null, "pins": []}, {"name": "\\u001b[31mred", "chip": 7}]}'
    found = devices_of_database(text, "devices.json")
    assert len(found) == 2
    assert "\x1b" not in found[1].title
