"""A database with everything in it, and what can happen to its file."""

from __future__ import annotations

import io
import random
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing, redirect_stdout, suppress
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Final

from tests.store.rig import START, look, register
from wattrail.cli.ledger.verify import verify
from wattrail.cli.option_types import BooksOptions
from wattrail.cli.store.export import export
from wattrail.errors import WattrailError
from wattrail.ledger import Ledger, adjustment
from wattrail.store import open_store, open_to_read
from wattrail.store.derived_rows import check_database
from wattrail.store.table_export import Content

PAGE: Final = 1024
EVERY_S: Final = 9
"""Seconds between two readings: as few readings as entries of a minute allow."""


@cache
def sound() -> bytes:
    """The file of a meter that was watched for 102 minutes, with two manual entries."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w.sqlite"
        with open_store(path) as store:
            meter_id = register(store)
            ledger = Ledger(store.meters()[0].epoch)
            for second in range(0, 102 * 60, EVERY_S):
                reading, seen = look(second)
                seen = replace(seen, elapsed_us=EVERY_S * 1_000_000 if second else None)
                store.append(meter_id, reading, seen, ledger.observe(seen))
            store.book(meter_id, ledger.close())
            for mwh in (5, 7):
                store.state(
                    meter_id,
                    lambda ledger_slice, mwh=mwh: adjustment(  # type: ignore[misc]
                        ledger_slice,
                        import_mwh=mwh,
                        export_mwh=0,
                        at=START + timedelta(days=1),
                        who="ada",
                        reason="because",
                    ),
                )
        return path.read_bytes()


def books_of(path: Path) -> tuple[object, ...]:
    """Everything that energy follows from."""
    with open_to_read(path) as reader:
        (row,) = reader.meters()
        ledger_slice = reader.ledger_slice(row.id)
        return row.name, row.simulated, ledger_slice.entries, ledger_slice.stated, ledger_slice.epochs


@cache
def sound_books() -> tuple[object, ...]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w.sqlite"
        path.write_bytes(sound())
        return books_of(path)


def _flip(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice([1, 1, 1, 8])):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def _flip_in_the_header(content: bytearray, chance: random.Random) -> None:
    content[chance.randrange(100)] ^= 1 << chance.randrange(8)


def _flip_in_a_page_head(content: bytearray, chance: random.Random) -> None:
    content[chance.randrange(len(content) // PAGE) * PAGE + chance.randrange(12)] ^= 1 << chance.randrange(8)


def _truncate(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(len(content)) :]


def _truncate_at_a_page(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(len(content) // PAGE) * PAGE :]


def _fill_a_page(content: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(content) // PAGE) * PAGE
    content[at : at + PAGE] = chance.choice([bytes(PAGE), b"\xff" * PAGE, chance.randbytes(PAGE)])


def _swap_pages(content: bytearray, chance: random.Random) -> None:
    one, two = (chance.randrange(len(content) // PAGE) * PAGE for _ in range(2))
    content[one : one + PAGE], content[two : two + PAGE] = content[two : two + PAGE], content[one : one + PAGE]


def _repeat_a_page(content: bytearray, chance: random.Random) -> None:
    one, two = (chance.randrange(len(content) // PAGE) * PAGE for _ in range(2))
    content[one : one + PAGE] = content[two : two + PAGE]


Damage = Callable[[bytearray, random.Random], None]
DAMAGES: Final[tuple[Damage, ...]] = (
    _flip, _flip_in_the_header, _flip_in_a_page_head, _truncate, _truncate_at_a_page, _fill_a_page, _swap_pages,
    _repeat_a_page,
)  # fmt: skip


def keeps_its_promise(path: Path) -> bool:
    """What is shown of a file that may be damaged; returns whether it was found sound.

    Every damage is an error or a finding, and none keeps a reader for ever; what is found sound is what was
    written; and a gateway that starts on it goes on after the last entry or not at all. Any other exception goes
    through.
    """
    try:
        is_sound = verify(options=BooksOptions(database=path)) == 0
    except WattrailError:
        is_sound = False
    assert not is_sound or books_of(path) == sound_books(), "nothing differs, says verify, and something does"
    contents: tuple[Content, ...] = ("readings", "entries")  # energy has a row an hour: a bit of a time is centuries
    for what in contents:
        with suppress(WattrailError), redirect_stdout(io.StringIO()):
            export(what=what, options=BooksOptions(database=path))
    with suppress(WattrailError):
        found = check_database(path).findings
        assert found or is_sound, "store check finds nothing, and ledger verify does"
    with suppress(WattrailError), open_store(path) as store:
        for row in store.meters():
            assert store.ledger(row.id) is not None
            assert store.entries(row.id)[-1].sequence == 103
            store.latest(row.id)
    return is_sound


def forge(path: Path, sql: str) -> None:
    """Change the file as somebody with a database tool can, past the triggers."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.executescript(sql)
