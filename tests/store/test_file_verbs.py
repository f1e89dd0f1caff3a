"""A database is backed up while it is written, checked, put back and vacuumed; nothing of it is lost on the way."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.store.damaged import forge
from tests.store.rig import live_through, look, register
from wattrail.errors import StoreError
from wattrail.ledger import Auditor
from wattrail.store import GatewayLock, file_check, open_store
from wattrail.store.backup import back_up
from wattrail.store.file_check import content_of, file_findings, open_file, require_sound
from wattrail.store.restore import restore
from wattrail.store.schema import migrations
from wattrail.store.vacuum import vacuum

FIXTURES = Path(__file__).parent / "fixtures"
NOW = datetime(2026, 11, 29, 13, tzinfo=UTC)


@pytest.fixture(scope="module")
def twenty_minutes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("house") / "w.sqlite"
    with open_store(path) as store:
        live_through(store, register(store), range(1200), together=1200)
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, twenty_minutes: bytes) -> Path:
    """Twenty minutes of a house."""
    path = tmp_path / "w.sqlite"
    path.write_bytes(twenty_minutes)
    return path


def no_pause(_seconds: float) -> None:
    """The disk of a test may be busy."""


def findings_of(path: Path) -> list[str]:
    with open_file(path) as connection:
        return [str(finding.text) for finding in file_findings(connection, path)]


# ---- backup


def test_a_backup_taken_while_a_gateway_writes_is_of_one_moment(path: Path, tmp_path: Path) -> None:
    with open_store(path) as store:
        ledger = store.ledger(1)
        assert ledger is not None
        seconds = iter(range(1200, 3000))

        def meanwhile(_done: int, _all: int) -> None:
            for second in (next(seconds) for _ in range(150)):
                reading, seen = look(second)
                store.append(1, reading, seen, ledger.observe(seen))

        made = back_up(path, tmp_path / "b.sqlite", pause=no_pause, progress=meanwhile)
    assert made.content.meters[0].readings == 1200, "what came after the beginning is not in it"
    assert findings_of(tmp_path / "b.sqlite") == []
    with open_store(path) as store:
        assert store.entries(1)[: made.content.meters[0].entries] == open_entries(tmp_path / "b.sqlite")


def open_entries(path: Path) -> tuple[object, ...]:
    with open_store(path) as store:
        return store.entries(1)


def test_a_backup_is_for_its_owner_alone_and_stands_by_itself(path: Path, tmp_path: Path) -> None:
    made = back_up(path, tmp_path / "usb" / "b.sqlite", pause=no_pause)
    backup = tmp_path / "usb" / "b.sqlite"
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert [file.name for file in backup.parent.iterdir()] == ["b.sqlite"]
    assert made.content.size_bytes == backup.stat().st_size


def test_a_backup_is_read_no_faster_than_it_may_be(path: Path, tmp_path: Path) -> None:
    pauses: list[float] = []
    made = back_up(path, tmp_path / "b.sqlite", max_bytes_per_s=100_000, pause=pauses.append)
    steps = made.content.size_bytes / (512 * 1024)
    assert len(pauses) == int(steps)
    assert sum(pauses) == pytest.approx(len(pauses) * 512 * 1024 / 100_000)


def test_a_backup_replaces_nothing_unasked(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "b.sqlite"
    target.write_text("a letter")
    with pytest.raises(StoreError, match="replaces nothing unasked"):
        back_up(path, target, pause=no_pause)
    assert target.read_text() == "a letter"
    back_up(path, target, replace=True, pause=no_pause)
    assert findings_of(target) == []
    with pytest.raises(StoreError, match="is the database itself"):
        back_up(path, path, replace=True, pause=no_pause)


def test_a_backup_of_a_damaged_file_gets_no_name(path: Path, tmp_path: Path) -> None:
    forge(path, "DELETE FROM entry WHERE sequence = 3")
    with pytest.raises(StoreError, match="is damaged: entry 3"):
        back_up(path, tmp_path / "b.sqlite", pause=no_pause)
    assert not (tmp_path / "b.sqlite").exists()
    assert [file.name for file in tmp_path.iterdir() if "part" in file.name] == []


def test_a_backup_without_room_says_how_much_is_missing(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _place: type("Usage", (), {"free": 1000}))
    with pytest.raises(StoreError, match=r"a backup of .* needs \d+ bytes in .*, and 1000 are free"):
        back_up(path, tmp_path / "b.sqlite", pause=no_pause)


# ---- check


def test_a_sound_file_has_no_finding_and_says_what_it_holds(path: Path) -> None:
    with open_file(path) as connection:
        content = content_of(connection, path)
        assert file_findings(connection, path) == ()
    assert (content.meters[0].name, content.meters[0].readings, content.version) == ("house", 1200, len(migrations()))


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("UPDATE entry SET note = 'x' WHERE sequence = 7", "entry 7: its content is altered"),
        ("DELETE FROM entry WHERE sequence > 4", "what the database holds is nothing"),
        ("DELETE FROM epoch", "belongs to no row of epoch"),
        ("UPDATE reading SET at = at + id * 60000000 WHERE id > 1170", "readings without an entry"),
    ],
)
def test_each_finding_comes_with_its_remedy(path: Path, sql: str, says: str) -> None:
    forge(path, sql)
    with open_file(path) as connection:
        findings = file_findings(connection, path)
    assert any(says in finding.text for finding in findings), findings
    assert all(finding.remedy for finding in findings)


@pytest.mark.parametrize("sequence", range(2, 9))
def test_what_parts_of_a_ledger_do_not_add_up_to_is_found(
    path: Path, monkeypatch: pytest.MonkeyPatch, sequence: int
) -> None:
    forge(path, f"UPDATE entry SET count = count + 1 WHERE sequence = {sequence}")
    whole = findings_of(path)
    sizes: list[int] = []
    take = Auditor.take
    monkeypatch.setattr(Auditor, "take", lambda own, part: (sizes.append(len(part)), take(own, part))[1])
    monkeypatch.setattr(file_check, "PAGE_ROWS", 3)
    assert findings_of(path) == whole
    assert sum("the sum of its counts" in text for text in whole) == 2, "it and the next do not fit"
    assert max(sizes) == 3, "however long the ledger, a check has some entries of it in memory"


def test_an_older_file_is_a_finding_and_not_a_damage(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((FIXTURES / "version_0005.sql").read_text(encoding="utf-8"))
    assert "schema version 5 of" in findings_of(path)[0]


# ---- restore


def test_a_restored_backup_says_what_only_the_replaced_one_holds(path: Path, tmp_path: Path) -> None:
    back_up(path, tmp_path / "b.sqlite", pause=no_pause)
    with open_store(path) as store:
        live_through(store, 1, range(1200, 1500))
    done = restore(tmp_path / "b.sqlite", path, at=NOW)
    assert done.kept_as == path.with_name("w.sqlite.replaced-20261129T130000")
    assert [(part.replaced.name, part.entries) for part in done.lost] == [("house", 5)]
    assert findings_of(path) == findings_of(done.kept_as) == []
    assert require_sound(done.kept_as).meters[0].readings == 1500
    assert energy_after(path) == energy_after(done.kept_as), "the meter's own counter has the rest"


def energy_after(path: Path) -> int:
    """All energy of the house after it was read once more, by a gateway that was just started."""
    reading, seen = look(1600)
    seen = replace(seen, elapsed_us=None)
    with open_store(path) as store:
        ledger = store.ledger(1)
        assert ledger is not None
        store.append(1, reading, seen, ledger.observe(seen))
        totals = ledger.totals()
    return totals.import_mwh + totals.export_mwh + totals.undirected_mwh


def test_a_backup_of_an_older_version_is_brought_up_to_date(path: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(old)) as connection:
        connection.executescript((FIXTURES / "version_0003.sql").read_text(encoding="utf-8"))
    before = old.read_bytes()
    done = restore(old, path, at=NOW)
    assert (done.migrated_from, done.content.version) == (3, len(migrations()))
    assert old.read_bytes() == before, "the backup stays as it is"
    assert findings_of(path) == []


def test_a_log_beside_a_backup_is_part_of_it(path: Path, tmp_path: Path) -> None:
    """A file that was copied with its log, by hand, from a gateway that was killed."""
    copy = tmp_path / "copied.sqlite"
    with open_store(path) as store:
        live_through(store, 1, range(1200, 1300))
        for side in ("", "-wal"):
            copy.with_name(copy.name + side).write_bytes(path.with_name(path.name + side).read_bytes())
    done = restore(copy, tmp_path / "new.sqlite", at=NOW)
    assert done.content.meters[0].readings == 1300


def test_a_stale_log_is_not_played_into_the_restored_file(path: Path, tmp_path: Path) -> None:
    back_up(path, tmp_path / "b.sqlite", pause=no_pause)
    with open_store(path) as store:
        live_through(store, 1, range(1200, 1300))
        log = path.with_name("w.sqlite-wal").read_bytes()
    path.unlink()
    path.with_name("w.sqlite-wal").write_bytes(log)
    done = restore(tmp_path / "b.sqlite", path, at=NOW)
    assert (done.kept_as, done.content.meters[0].readings) == (None, 1200)
    assert require_sound(path).meters[0].readings == 1200
    (tmp_path / "b.sqlite-wal").write_bytes(log)
    with pytest.raises(StoreError, match="is in use as a database"):
        back_up(path, tmp_path / "b.sqlite", replace=True, pause=no_pause)


def test_a_restore_where_nothing_stood_makes_the_file(path: Path, tmp_path: Path) -> None:
    done = restore(path, tmp_path / "new" / "w.sqlite", at=NOW)
    assert (done.kept_as, done.lost) == (None, ())
    assert findings_of(tmp_path / "new" / "w.sqlite") == []


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("newer", "schema version 99; this program knows"),
        ("other", "is a database of another program"),
        ("torn", "is damaged"),
        ("text", "is not a database"),
    ],
)
def test_what_is_not_a_sound_backup_is_refused_and_nothing_changes(
    path: Path, tmp_path: Path, damage: str, says: str
) -> None:
    backup = tmp_path / "b.sqlite"
    back_up(path, backup, pause=no_pause)
    if damage == "text":
        backup.write_text("dear diary " * 500)
    elif damage == "torn":
        forge(backup, "DELETE FROM entry WHERE sequence = 2")
    else:
        with closing(sqlite3.connect(backup)) as connection:
            connection.execute("PRAGMA user_version = 99" if damage == "newer" else "PRAGMA application_id = 7")
            connection.commit()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=says):
        restore(backup, path, at=NOW)
    assert path.read_bytes() == before
    assert not [file for file in tmp_path.iterdir() if "replaced" in file.name or "restoring" in file.name]


def test_a_restore_over_a_running_gateway_names_it(path: Path, tmp_path: Path) -> None:
    back_up(path, tmp_path / "b.sqlite", pause=no_pause)
    with GatewayLock(path), pytest.raises(StoreError, match=r"another gateway uses .*w.sqlite: process \d+"):
        restore(tmp_path / "b.sqlite", path, at=NOW)


def test_a_restore_under_an_open_connection_is_refused(path: Path, tmp_path: Path) -> None:
    back_up(path, tmp_path / "b.sqlite", pause=no_pause)
    with open_store(path) as store:
        store.meters()
        with pytest.raises(StoreError, match="is in use by another program; nothing was restored"):
            restore(tmp_path / "b.sqlite", path, at=NOW)
        assert store.meters()


def test_a_damaged_database_is_kept_as_it_is_when_replaced(path: Path, tmp_path: Path) -> None:
    back_up(path, tmp_path / "b.sqlite", pause=no_pause)
    torn = path.read_bytes()[:5000] + b"\xa5" * 5000
    path.write_bytes(torn)
    done = restore(tmp_path / "b.sqlite", path, at=NOW)
    assert done.kept_as is not None
    assert done.kept_as.read_bytes() == torn
    assert done.unread is not None
    assert findings_of(path) == []


# ---- vacuum


def test_vacuum_gives_space_back_and_keeps_every_row(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM reading WHERE id < 1100")
        connection.commit()
    done = vacuum(path)
    assert done.after < done.before / 2
    assert findings_of(path) == []
    assert done.after == path.stat().st_size


def test_vacuum_waits_for_no_gateway_and_needs_room(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with GatewayLock(path), pytest.raises(StoreError, match="another gateway uses"):
        vacuum(path)
    with open_store(path) as store:
        store.meters()
        with pytest.raises(StoreError, match="is in use by another program; it is as it was"):
            vacuum(path)
    monkeypatch.setattr("shutil.disk_usage", lambda _place: type("Usage", (), {"free": 1000}))
    with pytest.raises(StoreError, match=r"vacuuming .* needs \d+ bytes"):
        vacuum(path)
