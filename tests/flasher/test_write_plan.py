"""What is erased and programmed: enough, and nothing else."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.flasher.desk import board
from tests.flasher.scripted import TARGET_N
from wattrail.bootrom import TRAITS, Responder
from wattrail.bootrom.crc_compare import SectorState
from wattrail.bootrom.geometry import ERASE_32K, ERASE_64K, ERASE_SECTOR
from wattrail.flasher.safety_checks import Risk
from wattrail.flasher.write_plan import SectorRuns, plan_block, plan_erase, plan_image
from wattrail.image import recognise

SECTOR = 4096
ROM = TRAITS[Responder.BOOT_ROM].erases
LOADER = TRAITS[Responder.BOOTLOADER].erases
SAME, BLANK, OTHER = SectorState.SAME, SectorState.BLANK, SectorState.OTHER
DATA = random.Random(1).randbytes(16 * SECTOR)


def found_of(start: int, findings: list[SectorState]) -> dict[int, SectorState]:
    return {start + n * SECTOR: how for n, how in enumerate(findings)}


def test_a_block_that_differs_everywhere_is_erased_at_once() -> None:
    plan = plan_block(0x20000, DATA, found_of(0x20000, [OTHER] * 16), ROM)
    assert plan.erases == ((ERASE_64K, 0x20000),)
    assert plan.programs == tuple(range(0x20000, 0x30000, SECTOR))


def test_half_a_block_takes_the_middle_size_where_the_responder_has_it() -> None:
    findings = [SAME] * 8 + [OTHER] * 8
    assert plan_block(0, DATA, found_of(0, findings), ROM).erases == ((ERASE_32K, 0x8000),)
    assert [size for size, _ in plan_block(0, DATA, found_of(0, findings), LOADER).erases] == [ERASE_SECTOR] * 8


def test_one_right_sector_keeps_the_large_erase_away() -> None:
    findings = [OTHER] * 15 + [SAME]
    erases = plan_block(0, DATA, found_of(0, findings), ROM).erases
    assert erases == ((ERASE_32K, 0), *((ERASE_SECTOR, 0x8000 + n * SECTOR) for n in range(7)))


def test_blank_sectors_are_programmed_without_an_erase() -> None:
    plan = plan_block(0, DATA, found_of(0, [BLANK] * 16), ROM)
    assert plan.erases == ()
    assert len(plan.programs) == 16


def test_what_shall_be_blank_is_erased_and_not_programmed() -> None:
    plan = plan_block(0, b"\xff" * 16 * SECTOR, found_of(0, [OTHER] * 16), ROM)
    assert plan.erases == ((ERASE_64K, 0),)
    assert plan.programs == ()


def test_what_was_erased_is_programmed_before_the_next_erase() -> None:
    findings = [OTHER] * 3 + [SAME] * 13
    steps = list(plan_block(0, DATA, found_of(0, findings), ROM).steps)
    assert steps == [(size, at) for at in (0, SECTOR, 2 * SECTOR) for size in (ERASE_SECTOR, None)]


@given(
    st.integers(0, 15),
    st.lists(st.sampled_from(list(SectorState)), min_size=1, max_size=16),
    st.lists(st.booleans(), min_size=16, max_size=16),
    st.sampled_from([ROM, LOADER]),
)
def test_any_plan_makes_flash_hold_the_image_and_spares_what_is_right(
    first: int, findings: list[SectorState], blank: list[bool], erases
) -> None:
    findings = findings[: 16 - first]
    start = 0x50000 + first * SECTOR
    want = b"".join(b"\xff" * SECTOR if blank[n] else DATA[n * SECTOR : (n + 1) * SECTOR] for n in range(len(findings)))
    # A blank sector that should be blank is right, so the comparison never says otherwise.
    found = {
        at: SAME if how is BLANK and blank[n] else how for n, (at, how) in enumerate(found_of(start, findings).items())
    }
    old = {SAME: lambda n: want[n * SECTOR : (n + 1) * SECTOR], BLANK: lambda n: b"\xff" * SECTOR}
    flash = {
        at: bytearray(old.get(how, lambda _: bytes(SECTOR))(n)) for n, (at, how) in enumerate(sorted(found.items()))
    }
    for size, at in plan_block(start, want, found, erases).steps:
        sectors = range(at, at + size.span, SECTOR) if size else [at]
        for sector in sectors:
            assert found[sector] is not SAME  # a KeyError here: outside the range
            new = want[sector - start : sector - start + SECTOR]
            flash[sector] = bytearray(
                b"\xff" * SECTOR if size else (a & b for a, b in zip(flash[sector], new, strict=True))
            )
    assert b"".join(bytes(flash[at]) for at in sorted(flash)) == want


def test_the_rest_of_a_flash_is_everything_between_the_runs() -> None:
    wanted = SectorRuns(((0x1000, bytes(0x1000)), (0x4000, bytes(0x2000))))
    assert wanted.rest(0x8000) == ((0, 0x1000), (0x2000, 0x2000), (0x6000, 0x2000))
    assert SectorRuns(((0, bytes(0x8000)),)).rest(0x8000) == ()


@pytest.mark.parametrize(
    ("part", "start", "end"),
    [("app", 0x11000, 0x12A000), ("config", 0x1D1000, 0x1D2000), ("tuya-kv", 0x1EF000, 0x200000)],
)
def test_a_part_is_cut_out_before_and_behind_the_rf_block_alike(part: str, start: int, end: int) -> None:
    dump = recognise(board("N", 2).dump)
    (segment,) = plan_image(dump, TARGET_N, start=None, parts=[part], allow=[]).segments
    assert (segment.start, segment.data) == (start, dump.data[start:end])


def test_parts_are_written_in_the_order_of_flash_however_they_are_named() -> None:
    dump = recognise(board("N", 2).dump)
    segments = plan_image(dump, TARGET_N, start=None, parts=["tuya-kv", "app", "config"], allow=[]).segments
    assert [segment.start for segment in segments] == [0x11000, 0x1D1000, 0x1EF000]


@pytest.mark.parametrize(
    ("start", "length"),
    [(0x800, 0x1000), (0x1000, 0x800), (0x1000, 0), (-0x1000, 0x1000), (0x1FF000, 0x2000)],
    ids=["half a sector in", "half a sector", "nothing", "before the flash", "behind it"],
)
def test_only_whole_sectors_inside_the_flash_are_erased(start: int, length: int) -> None:
    with pytest.raises(ValueError, match="are not whole sectors of 0x1000 inside the flash"):
        plan_erase(start, length, TARGET_N, allow=[])


def test_an_erase_of_the_whole_flash_leaves_the_rf_block() -> None:
    plan = plan_erase(0, 0x200000, TARGET_N, allow=[])
    assert [(segment.start, segment.end) for segment in plan.segments] == [(0, 0x1D0000), (0x1D1000, 0x200000)]
    assert all(not segment.data.strip(b"\xff") for segment in plan.segments)
    assert len(plan.kept) == 1
    (whole,) = plan_erase(0, 0x200000, TARGET_N, allow=[Risk.RF]).segments
    assert (whole.start, whole.end) == (0, 0x200000)
