"""The journal: what a cut leaves behind, and what the next session makes of it."""

from __future__ import annotations

import json
import os
import random
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from wattrail.bootrom import Chip, Identity, Responder
from wattrail.bootrom.requests import wire_crc
from wattrail.clock import ManualClock
from wattrail.flasher.backup_store import BackupStore
from wattrail.flasher.backups import BackupCatalog
from wattrail.flasher.flash_target import FlashTarget
from wattrail.flasher.journal import JOURNAL, Journal

TARGET = FlashTarget(
    Identity(Chip.N, Responder.BOOT_ROM, ()), Responder.BOOT_ROM, 0x200000, True, flash_id=0x1560EB, sr=0x4004, rf_crc=1
)


ALL = [(0, bytes(TARGET.size))]
"""A write of the whole flash: whatever was touched, it has proven."""


@pytest.fixture
def store(tmp_path: Path) -> BackupStore:
    return BackupStore(tmp_path / "boards", ManualClock())


def journal_of(store: BackupStore, target: FlashTarget) -> Journal:
    """The one to write to: that of what did not end on this board, else the board's own."""
    found = store.unfinished(target)
    return found.journal if found else Journal(store.folder / target.board, ManualClock())


def begin(
    journal: Journal,
    *,
    image: str = "a.bin",
    target: FlashTarget = TARGET,
    rf_after: int = 1,
    backup: Path | None = None,
) -> None:
    journal.begin(target, image=image, sha256="00", rf_after=rf_after, backup=backup, simulated=True)


def test_a_write_that_ended_leaves_nothing_to_do(store: BackupStore) -> None:
    journal = journal_of(store, TARGET)
    begin(journal)
    journal.touching({0x11000: 7})
    journal.done(ALL)
    assert store.unfinished(TARGET) is None


def test_a_write_that_was_cut_is_found_again(store: BackupStore, tmp_path: Path) -> None:
    backup = tmp_path / "backup.bin"
    backup.write_bytes(bytes(TARGET.size))  # a file of another size cannot be a backup of this flash
    begin(journal_of(store, TARGET), backup=backup)
    found = store.unfinished(TARGET)
    assert found is not None
    assert (found.image, found.backup, found.sr) == ("a.bin", backup, 0x4004)


def test_a_second_attempt_keeps_the_first_ones_backup_and_protection(store: BackupStore, tmp_path: Path) -> None:
    first, second = tmp_path / "1.bin", tmp_path / "2.bin"
    first.write_bytes(bytes(TARGET.size))
    second.write_bytes(bytes(TARGET.size))
    begin(journal_of(store, TARGET), backup=first)
    begin(journal_of(store, TARGET), image="b.bin", target=replace(TARGET, sr=0), backup=second)
    found = store.unfinished(TARGET)
    assert found is not None
    assert (found.image, found.backup, found.sr) == ("b.bin", first, 0x4004)


def test_a_backup_that_was_deleted_is_not_promised(store: BackupStore, tmp_path: Path) -> None:
    begin(journal_of(store, TARGET), backup=tmp_path / "gone.bin")
    found = store.unfinished(TARGET)
    assert found is not None
    assert found.backup is None


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_torn_last_line_is_not_a_line(store: BackupStore, cut: int) -> None:
    journal = journal_of(store, TARGET)
    begin(journal)
    journal.done(ALL)
    path = journal.folder / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    assert store.unfinished(TARGET) is not None, "the line that said done was torn: it is not done"
    journal.done(ALL)
    assert store.unfinished(TARGET) is None


def test_the_board_is_recognised_by_its_radio_calibration(store: BackupStore) -> None:
    begin(journal_of(store, TARGET))
    assert store.unfinished(replace(TARGET, rf_crc=2)) is None
    assert store.unfinished(replace(TARGET, flash_id=0x15701C)) is None


RF = TARGET.layout["rf"].start


def chip_with(flash: bytes):
    """A chip that answers with the CRCs of this flash."""
    return lambda start, length: wire_crc(flash[start : start + length])


def test_a_board_with_a_torn_rf_sector_is_known_by_the_rest_of_its_flash(store: BackupStore, tmp_path: Path) -> None:
    """Before, the block of 64 KiB around the RF sector was excuse enough: another board passed for this one."""
    before, other = random.Random(1).randbytes(TARGET.size), random.Random(2).randbytes(TARGET.size)
    backup = tmp_path / "backup.bin"
    backup.write_bytes(before)
    torn = before[:RF] + bytes(0x800) + before[RF + 0x800 :]
    journal = journal_of(store, TARGET)
    begin(journal, rf_after=7, backup=backup)
    now = replace(TARGET, rf_crc=99)
    assert store.unfinished(now, chip_with(torn)) is None, "the RF sector was not touched"
    journal.touching({RF + 0x1000: 5})
    assert store.unfinished(now, chip_with(torn)) is None, "nor was it by its neighbour in the same block"
    journal.touching({RF: 7})
    assert store.unfinished(now, chip_with(before[: RF + 0x1000] + bytes(0x1000) + before[RF + 0x2000 :])) is None
    assert store.unfinished(now, chip_with(torn)) is not None
    assert store.unfinished(now, chip_with(other)) is None
    assert store.unfinished(now) is None, "nobody asked the chip"


def test_a_board_given_the_dump_of_another_is_not_taken_for_that_one(store: BackupStore, tmp_path: Path) -> None:
    """Its RF block is what the other one's shall be."""
    before, other = random.Random(1).randbytes(TARGET.size), random.Random(2).randbytes(TARGET.size)
    backup = tmp_path / "backup.bin"
    backup.write_bytes(before)
    journal = journal_of(store, TARGET)
    begin(journal, rf_after=7, backup=backup)
    journal.touching({RF: wire_crc(other[RF : RF + 0x1000])})
    assert store.unfinished(replace(TARGET, rf_crc=7), chip_with(other)) is None


def test_what_was_cut_is_named_by_its_last_session_and_its_first_board(store: BackupStore) -> None:
    clock = ManualClock()
    journal = Journal(store.folder / TARGET.board, clock)
    begin(journal, rf_after=2)
    clock.advance(3600)
    began = clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    begin(journal, image="b.bin", target=replace(TARGET, rf_crc=2), rf_after=3)
    found = journal.unfinished(TARGET.size)
    assert found is not None
    assert (found.since, found.image, found.sha256) == (began, "b.bin", "00")
    assert (found.rf_before, found.rf_after) == (1, frozenset({2, 3}))


def test_a_sector_that_was_touched_and_proven_is_known_by_its_crc(store: BackupStore) -> None:
    journal = journal_of(store, TARGET)
    begin(journal)
    journal.touching({0x11000: 7, 0x12000: 8, 0x13000: 9})
    journal.touching({0x12000: 8})
    begin(journal, image="small.bin")
    journal.done([(0x11000, bytes(0x1000))])
    found = store.unfinished(TARGET)
    assert found is not None
    proven, cut, whole = (found.sectors[at] for at in (0x11000, 0x12000, 0x13000))
    assert (proven.proven, proven.torn, proven.wanted) == (True, False, {wire_crc(bytes(0x1000))})
    assert (cut.proven, cut.torn, cut.wanted) == (False, True, {8})
    # the session went on to the next sector, so this one held what it should
    assert (whole.proven, whole.torn, whole.wanted) == (False, False, {9})


def test_a_smaller_write_takes_away_only_what_it_has_proven(store: BackupStore) -> None:
    journal = journal_of(store, TARGET)
    begin(journal)
    journal.touching({0x11000: 1, 0x12000: 2, 0x13000: 3})
    begin(journal, image="small.bin")
    journal.touching({0x11000: 4})
    journal.done([(0x11000, bytes(0x1000))])
    found = store.unfinished(TARGET)
    assert found is not None
    assert found.pending == (0x12000, 0x13000)
    begin(journal, image="erase")
    journal.done([(0x1F0000, bytes(0x1000))])
    assert store.unfinished(TARGET) is not None
    journal.done([(0x12000, bytes(0x2000))])
    assert store.unfinished(TARGET) is None


def test_a_backup_of_a_half_written_flash_is_not_what_a_session_rests_on(store: BackupStore, tmp_path: Path) -> None:
    half = tmp_path / "half.bin"
    half.write_bytes(bytes(TARGET.size))
    journal = journal_of(store, TARGET)
    begin(journal)
    journal.touching({0x11000: 1})
    begin(journal, backup=half)
    found = store.unfinished(TARGET)
    assert found is not None
    assert found.backup is None
    assert journal.half_written_backups() == {"half.bin"}


def old_line(event: str, **fields: object) -> str:
    """A line as version 1 wrote it."""
    return json.dumps({"event": event, "at": "2026-06-21T00:00:00Z", **fields}) + "\n"


def test_the_journal_of_an_earlier_version_forgets_no_cut_either(store: BackupStore, tmp_path: Path) -> None:
    backup, half = tmp_path / "backup-1.bin", tmp_path / "backup-2.bin"
    for path in (backup, half):
        path.write_bytes(bytes(TARGET.size))
    begun = {"version": 1, "chip": "BK7231N", "flash_id": 0x1560EB, "rf": [1, 1], "sr": 0}
    journal = journal_of(store, TARGET)
    journal.folder.mkdir(parents=True)
    (journal.folder / JOURNAL).write_text(
        old_line("begin", **begun, image="a.bin", sha256="00", backup=str(backup))
        + old_line("touching", start=0x11000, length=0x10000)
        + old_line("begin", **begun, image="b.bin", sha256="01", backup=str(backup))
        + old_line("touching", start=0x11000, length=0x1000)
        + old_line("done")
        + old_line("begin", **begun, image="c.bin", sha256="02", backup=str(half))
        + old_line("done")
    )
    found = store.unfinished(TARGET)
    assert found is not None
    assert (found.backup, found.pending[0], len(found.pending)) == (backup, 0x12000, 15)
    assert journal.half_written_backups() == {"backup-2.bin"}
    journal.done([(0x12000, bytes(0xF000))])
    assert store.unfinished(TARGET) is None


def test_the_same_image_of_an_earlier_version_has_closed_its_own_cut(store: BackupStore) -> None:
    begun = {"version": 1, "chip": "BK7231N", "flash_id": 0x1560EB, "rf": [1, 1], "image": "a.bin", "sha256": "00"}
    journal = journal_of(store, TARGET)
    journal.folder.mkdir(parents=True)
    (journal.folder / JOURNAL).write_text(
        old_line("begin", **begun)
        + old_line("touching", start=0x11000, length=0x10000)
        + old_line("begin", **begun)
        + old_line("touching", start=0x20000, length=0x10000)
        + old_line("done")
    )
    assert store.unfinished(TARGET) is None


def test_of_a_damaged_line_only_whole_sectors_in_the_flash_are_pending(store: BackupStore) -> None:
    """A half-written or altered journal: what does not name a sector is left out, the rest still warns of the cut."""
    begun = {"version": 2, "chip": "BK7231N", "flash_id": 0x1560EB, "rf": [1, 1], "image": "a.bin", "sha256": "00"}
    damaged = [None, "x", [1], [-0x1000, 1], [0x11001, 1], [TARGET.size, 1], [0x12000, 5]]
    journal = journal_of(store, TARGET)
    journal.folder.mkdir(parents=True)
    (journal.folder / JOURNAL).write_text(old_line("begin", **begun) + old_line("touching", sectors=damaged))
    found = store.unfinished(TARGET)
    assert found is not None
    assert list(found.pending) == [0x12000]


@pytest.mark.parametrize("what", ["empty", "altered", "folder", "pipe", "larger"])
def test_a_file_that_is_not_the_backup_any_more_is_not_taken_for_it(
    store: BackupStore, tmp_path: Path, what: str
) -> None:
    """Before, any file of that name was: an empty one, /etc/passwd, a pipe that never ends."""
    content = random.Random(1).randbytes(TARGET.size)
    path = tmp_path / "backup.bin"
    match what:
        case "empty":
            path.touch()
        case "altered":
            path.write_bytes(content[:-1] + b"x")
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "larger":
            with path.open("wb") as file:
                file.truncate(1 << 40)
    journal_of(store, TARGET).begin(
        TARGET, image="a", sha256="", rf_after=1, backup=path, backup_sha256=sha256(content).hexdigest(), simulated=True
    )
    found = store.unfinished(TARGET)
    assert found is not None
    assert found.backup is None


def test_two_boards_have_two_journals(store: BackupStore) -> None:
    other = replace(TARGET, rf_crc=2)
    begin(journal_of(store, TARGET))
    begin(journal_of(store, other), target=other, rf_after=2)
    journal_of(store, other).done(ALL)
    assert store.unfinished(TARGET) is not None
    assert store.unfinished(other) is None


def test_the_name_of_a_board_tells_no_address() -> None:
    assert TARGET.board == "bk7231n-1560eb-00000001"
    assert replace(TARGET, rf_blank=True).board == "bk7231n-1560eb-without-rf"


def test_the_name_of_a_backup_says_which_it_is_and_what_is_in_it(tmp_path: Path) -> None:
    catalog, blank = BackupCatalog(tmp_path, ManualClock()), b"\xff" * 4096
    stamp, words = "backup-20260621T000000Z", f"blank-{sha256(blank).hexdigest()[:8]}"
    assert catalog.name(blank, "original", simulated=True).name == f"{stamp}-original-{words}-simulated.bin"
    assert catalog.name(blank, "later", simulated=False).name == f"{stamp}-later-{words}.bin"


def test_a_backup_never_takes_a_name_that_exists(tmp_path: Path) -> None:
    catalog = BackupCatalog(tmp_path, ManualClock())
    first = catalog.name(b"1", "later", simulated=False)
    first.write_bytes(b"1")
    assert catalog.name(b"1", "later", simulated=False) != first


def test_the_first_backup_is_the_original_whatever_the_clock_said(tmp_path: Path) -> None:
    clock = ManualClock()
    catalog = BackupCatalog(tmp_path, clock)
    for content in (b"stock", b"other"):
        origin = catalog.next_origin(half_written=False)
        path = catalog.name(content, origin, simulated=False)
        path.write_bytes(content)
        catalog.note(path, content, origin)
        clock.step(-86400)  # no battery: the second boot is earlier than the first
    original = catalog.original()
    assert original is not None
    assert original.path.read_bytes() == b"stock"


def test_backups_of_an_earlier_version_stay_the_oldest_is_the_original(tmp_path: Path) -> None:
    for stamp in ("20260101T000000Z", "20250101T000000Z-simulated", "20260301T000000Z"):
        (tmp_path / f"backup-{stamp}.bin").write_bytes(stamp.encode())
    catalog = BackupCatalog(tmp_path, ManualClock())
    assert [kept.origin for kept in catalog.all()] == ["original", "later", "later"]
    original = catalog.original()
    assert original is not None
    assert (original.path.name, original.at) == ("backup-20250101T000000Z-simulated.bin", "2025-01-01T00:00:00Z")
    assert catalog.next_origin(half_written=False) == "later"


def test_where_the_original_was_removed_no_other_backup_takes_its_place(tmp_path: Path) -> None:
    catalog = BackupCatalog(tmp_path, ManualClock())
    for content in (b"stock", b"other"):
        path = catalog.name(content, origin := catalog.next_origin(half_written=False), simulated=False)
        path.write_bytes(content)
        catalog.note(path, content, origin)
    first = catalog.original()
    assert first is not None
    first.path.unlink()
    assert catalog.original() is None
    assert [kept.origin for kept in catalog.all()] == ["later"]


@pytest.mark.parametrize(
    "line", ['{"event": "begin"}', "[" * 3000, '{"event": "begin", "backup": "' + "x" * 5000 + '"}', "\xff\xfe", "null"]
)
def test_a_line_that_makes_no_sense_bars_no_board_from_being_flashed(store: BackupStore, line: str) -> None:
    journal = journal_of(store, TARGET)
    begin(journal)
    with (journal.folder / "journal.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    store.unfinished(TARGET)
    begin(journal_of(store, TARGET))
    journal_of(store, TARGET).done(ALL)
    assert store.unfinished(TARGET) is None


def test_what_was_noted_of_a_backup_is_what_is_listed(tmp_path: Path) -> None:
    catalog, blank = BackupCatalog(tmp_path, ManualClock()), b"\xff" * 4096
    elsewhere = tmp_path.parent / "mine.bin"
    elsewhere.write_bytes(blank)
    catalog.note(elsewhere, blank, "original")
    (kept,) = catalog.all()
    assert (kept.path, kept.bytes, kept.origin, kept.firmware) == (elsewhere, 4096, "original", "blank")
    assert (kept.at, kept.sha256) == ("2026-06-21T00:00:00Z", sha256(blank).hexdigest())


def test_a_backup_noted_as_half_written_is_never_the_one_from_before(store: BackupStore, tmp_path: Path) -> None:
    half, whole = tmp_path / "half.bin", tmp_path / "whole.bin"
    for path in (half, whole):
        path.write_bytes(bytes(TARGET.size))
    journal = journal_of(store, TARGET)
    for path, half_written in ((half, True), (whole, False)):
        journal.begin(TARGET, image="a", sha256="", rf_after=1, backup=path, half_written=half_written, simulated=True)
    found = store.unfinished(TARGET)
    assert found is not None
    assert found.backup == whole


def test_an_rf_block_given_by_a_finished_write_is_remembered(store: BackupStore) -> None:
    journal = Journal(store.folder / TARGET.board, ManualClock())
    for rf_after in (7, TARGET.rf_crc):
        begin(journal, rf_after=rf_after)
        assert journal.became() == frozenset({7} if rf_after != 7 else ()), "not before it has ended"
        journal.done(ALL)
    assert journal.became() == frozenset({7}), "a write that left it as it was gives no board another one"


def test_the_oldest_the_newest_and_the_original_are_kept(tmp_path: Path) -> None:
    clock = ManualClock()
    catalog = BackupCatalog(tmp_path, clock)
    for content, origin in ((b"0", "later"), (b"1", "original"), (b"2", "later"), (b"3", "later"), (b"4", "later")):
        path = catalog.name(content, origin, simulated=False)  # type: ignore[arg-type]
        path.write_bytes(content)
        catalog.note(path, content, origin)  # type: ignore[arg-type]
        clock.advance(60)
    assert [kept.path.read_bytes() for kept in catalog.prunable(1)] == [b"2", b"3"]
    assert [kept.path.read_bytes() for kept in catalog.prunable(0)] == [b"2", b"3", b"4"]
    assert catalog.prunable(9) == []
    begin(Journal(tmp_path, clock))
    assert catalog.prunable(1) == [], "a write did not end there: nothing is known to be needless"
