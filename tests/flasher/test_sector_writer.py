"""Writing sectors to a device in memory: what is touched, what is proven again, and what is put back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.flasher.scripted import MemoryDevice
from wattrail.clock import ManualClock
from wattrail.errors import VerifyError, WriteProtected
from wattrail.flasher.events import Fact, Note
from wattrail.flasher.identify import ExpectedBoard
from wattrail.flasher.journal import Journal
from wattrail.flasher.sector_writer import SectorWriter
from wattrail.flasher.write_plan import SectorRuns

OLD, NEW = b"\x11" * 0x40000, b"\x22" * 0x2000
WANTED = SectorRuns(((0x20000, NEW),))


def writer_on(device: MemoryDevice, *, fresh: bytes | None = None, journal: Journal | None = None) -> SectorWriter:
    return SectorWriter(device, ExpectedBoard(device.target), journal=journal, fresh=fresh)  # type: ignore[arg-type]


def test_only_what_differs_is_erased_programmed_and_proven() -> None:
    device = MemoryDevice(OLD)
    device.flash[0x20000:0x21000] = NEW[:0x1000]
    writer = writer_on(device)
    writer.write(WANTED)
    assert device.acts == [("unprotect", 0), ("erase", 0x21000), ("program", 0x21000), ("restore", 0)]
    assert writer.touched == 1
    assert device.flash == OLD[:0x20000] + NEW + OLD[0x22000:]
    assert device.events.count(Fact.BLOCK_PROVEN) == 1


def test_after_a_fault_what_was_proven_is_proven_again() -> None:
    device = MemoryDevice(OLD)

    def hits_what_was_written() -> None:
        device.flash[0x20000:0x21000] = b"\xff" * 0x1000

    two_blocks = SectorRuns(((0x20000, NEW), (0x30000, NEW)))
    writer = writer_on(device, fresh=OLD)
    erase = device.erase

    def erase_and_fail(size: object, address: int) -> None:
        if address == 0x30000:
            device.fault = hits_what_was_written
        erase(size, address)  # type: ignore[arg-type]

    device.erase = erase_and_fail  # type: ignore[method-assign]
    writer.write(two_blocks)
    assert device.flash == OLD[:0x20000] + NEW + OLD[0x22000:0x30000] + NEW + OLD[0x32000:]
    assert device.events.count(Fact.BLOCK_PROVEN) == 4, "both blocks, and both again"


@pytest.mark.parametrize("has_backup", [True, False])
def test_a_fault_outside_the_range_is_put_back_or_named(has_backup: bool) -> None:
    device = MemoryDevice(OLD)

    def hits_elsewhere() -> None:
        device.flash[0x5000:0x6000] = b"\xff" * 0x1000

    device.fault = hits_elsewhere
    writer = writer_on(device, fresh=OLD if has_backup else None)
    if not has_backup:
        with pytest.raises(VerifyError, match="changed flash outside the range, between 0x0 and 0x20000"):
            writer.write(WANTED)
        return
    writer.write(WANTED)
    assert device.flash == OLD[:0x20000] + NEW + OLD[0x22000:]
    assert [start for start, _ in writer.put_back] == [0]
    assert any(isinstance(event, Note) for event in device.events)


def test_a_second_fault_while_the_first_is_put_back_is_survived_too(monkeypatch: pytest.MonkeyPatch) -> None:
    device = MemoryDevice(OLD)
    fences: list[int] = []

    def hits_elsewhere() -> None:
        device.flash[0x5000:0x6000] = b"\xff" * 0x1000

    def fence_in(spans: Iterable[tuple[int, int]]) -> None:
        device.fence = [*spans]
        fences.append(device.fence[0][0])
        if fences.count(0) == 1 and fences[-1] == 0:
            device.fault = lambda: None  # a request of the repair is damaged, and does no harm

    device.fault = hits_elsewhere
    monkeypatch.setattr(device, "fence_in", fence_in)
    writer_on(device, fresh=OLD).write(WANTED)
    assert device.flash == OLD[:0x20000] + NEW + OLD[0x22000:]
    assert device.acts[-1] == ("restore", 0)


@pytest.mark.parametrize("fresh", [OLD, None])
def test_a_flash_that_takes_nothing_is_proven_unchanged(fresh: bytes | None) -> None:
    device = MemoryDevice(OLD)
    device.is_protected = True
    writer = writer_on(device, fresh=fresh)
    with pytest.raises(WriteProtected, match="0x20000 was erased or programmed 3 times"):
        writer.write(WANTED)
    assert device.events.count(Fact.UNCHANGED) == 2
    assert device.acts.count(("unprotect again", 0)) == 2
    assert writer.has_left_flash_unchanged()


@pytest.mark.parametrize("what", ["a fault", "one byte"])
def test_a_flash_that_may_have_changed_is_not_called_unchanged(what: str) -> None:
    device = MemoryDevice(OLD)
    device.is_protected = True
    writer = writer_on(device)
    with pytest.raises(WriteProtected):
        writer.write(WANTED)
    if what == "a fault":
        device.fault_generation += 1
    else:
        device.flash[0x21FFF] = 0
    assert not writer.has_left_flash_unchanged()


def test_every_sector_is_in_the_journal_before_it_is_touched(tmp_path: Path) -> None:
    device, journal = MemoryDevice(OLD), Journal(tmp_path, ManualClock())
    seen: list[int] = []
    device.fault = lambda: seen.extend(sector[0] for line in journal.lines() for sector in line["sectors"])  # type: ignore[attr-defined]
    writer_on(device, journal=journal, fresh=OLD).write(WANTED)
    assert seen == [0x20000, 0x21000]


def test_the_block_being_written_is_known_to_the_check_of_the_board() -> None:
    device, board = MemoryDevice(OLD), ExpectedBoard(MemoryDevice(OLD).target)
    seen = []
    device.fault = lambda: seen.append(board.changing)
    SectorWriter(device, board, fresh=OLD).write(WANTED)  # type: ignore[arg-type]
    assert seen == [(0x20000, 0x2000)]
