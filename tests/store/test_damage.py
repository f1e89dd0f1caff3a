"""A database file that was damaged, cut, swapped or forged: an error with a message, or a finding by its number.

The truth is what was written before the damage: the same rows, read from the sound file.
"""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from operator import itemgetter
from pathlib import Path

import pytest

from tests.store.damaged import DAMAGES, Damage, forge, keeps_its_promise, sound
from wattrail.cli.ledger.verify import verify
from wattrail.cli.option_types import BooksOptions
from wattrail.errors import StoreError, WattrailError
from wattrail.store import open_store
from wattrail.store.pages import in_order


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "w.sqlite"
    path.write_bytes(sound())
    return path


def said(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    code = verify(options=BooksOptions(database=path))
    out = capsys.readouterr().out
    assert (code == 0) == ("nothing differs" in out)
    return out


def test_a_sound_file_has_nothing_that_differs(path: Path) -> None:
    assert keeps_its_promise(path)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.strip("_"))
def test_no_damage_is_a_traceback_and_none_goes_by_in_silence(path: Path, damage: Damage) -> None:
    chance = random.Random(damage.__name__)
    for _ in range(40):
        content = bytearray(sound())
        damage(content, chance)
        path.write_bytes(content)
        for side in ("-wal", "-shm"):
            path.with_name(path.name + side).unlink(missing_ok=True)
        keeps_its_promise(path)


@pytest.mark.parametrize("found", [[3, 4], [8, 8], [8, 9, 8], [7]])
def test_rows_that_were_read_before_end_a_reading_by_pages(found: list[int]) -> None:
    with pytest.raises(ValueError, match="comes after number"):
        in_order([(number,) for number in found], 7, itemgetter(0))


@pytest.mark.parametrize("what", ["empty", "folder", "text", "other", "newer", "pipe"])
def test_what_is_not_a_database_of_this_version_is_a_clear_error(tmp_path: Path, what: str) -> None:
    path = tmp_path / "w.sqlite"
    match what:
        case "empty":
            path.touch()
        case "folder":
            path.mkdir()
        case "text":
            path.write_text("dear diary " * 500)
        case "pipe":
            import os

            os.mkfifo(path)
        case _:
            path.write_bytes(sound())
            pragma = "application_id = 7" if what == "other" else "user_version = 99"
            with closing(sqlite3.connect(path)) as connection:
                connection.execute(f"PRAGMA {pragma}")
                connection.commit()
    with pytest.raises(WattrailError):
        verify(options=BooksOptions(database=path))
    if what != "empty":  # an empty file is a new database
        with pytest.raises(StoreError):
            open_store(path)


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("DELETE FROM entry WHERE sequence BETWEEN 12 AND 101", "entries 12 to 101: what the database holds is"),
        ("DELETE FROM entry WHERE sequence > 100", "entries 101 to 103: what the database holds is nothing"),
        ("DELETE FROM entry", "entries 1 to 103: what the database holds is nothing"),
        ("UPDATE entry SET note = 'x' WHERE sequence = 17", "entry 17: its content is altered"),
        ("UPDATE entry SET watt = watt + 1 WHERE sequence = 17", "entry 17: its content is altered"),
        ("UPDATE entry SET reading_id = 1 WHERE sequence = 103", "entry 103: its content is altered"),
        ("UPDATE stated SET import_mwh = 500 WHERE sequence = 2", "manual entry 2: its content is altered"),
        ("DELETE FROM stated WHERE sequence = 2", "manual entry 2: what the database holds is nothing"),
        ("UPDATE epoch SET micro_counts_per_watt = 1", "calibration epoch 1: its content is altered"),
        ("DELETE FROM chain", "entry 103: the number of the last is 103, should be 0"),
    ],
)  # fmt: skip
def test_a_row_that_is_missing_or_altered_is_named_by_its_number(
    path: Path, capsys: pytest.CaptureFixture[str], sql: str, says: str
) -> None:
    forge(path, sql)
    assert says in said(path, capsys)


@pytest.mark.parametrize("sql", ["DELETE FROM entry WHERE sequence > 12", "DELETE FROM entry", "DELETE FROM chain",
                                 "DELETE FROM stated WHERE sequence = 2"])  # fmt: skip
def test_a_gateway_does_not_count_on_after_a_torn_end(path: Path, sql: str) -> None:
    forge(path, sql)
    with open_store(path) as store:
        with pytest.raises(StoreError, match="is damaged: it holds") as caught:
            store.ledger(1)
        assert f"wattrail ledger verify, with database={path}" in str(caught.value.hint)
        assert "backup" in str(caught.value.hint)
