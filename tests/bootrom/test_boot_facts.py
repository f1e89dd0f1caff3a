"""CRC, ranges, rates, flash parts and their protection, budgets, eFuse: data and the decisions made on it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattrail.bootrom import PARTS, Responder, part_of
from wattrail.bootrom import commands as c
from wattrail.bootrom.constants import EFUSE_CONTROL, EFUSE_RESULT
from wattrail.bootrom.geometry import flash_bytes
from wattrail.bootrom.identify import POLL_LIMIT, EfuseBytes, RegisterAccess, read_efuse
from wattrail.bootrom.requests import (
    StatusWrite,
    crc_range,
    host_switch_s,
    is_guarded,
    is_unprotected,
    joined,
    plan_restore,
    plan_unprotect,
    real_baud,
    reply_after_s,
    reply_timeout_s,
    settled,
    wire_crc,
    wire_s,
    wrapped,
)
from wattrail.errors import TargetError

ROM, LOADER = Responder.BOOT_ROM, Responder.BOOTLOADER
parts = st.sampled_from(PARTS)


@pytest.mark.parametrize(
    ("data", "wire"),
    [(b"123456789", 0x340BC6D9), (b"\xff" * 4096, 0x0EAB98F5), (b"\0" * 4096, 0x38E3FFEE), (b"", 0xFFFFFFFF)],
)
def test_the_wire_s_crc_is_crc_32_without_its_last_inversion(data: bytes, wire: int) -> None:
    assert wire_crc(data) == wire


@given(st.integers(0, 0x3FFFFF), st.integers(1, 0x200000), st.sampled_from(list(Responder)))
def test_a_planned_crc_range_covers_exactly_what_was_meant(start: int, length: int, responder: Responder) -> None:
    if responder is LOADER:
        length = max(256, length & ~0xFF)
    first, end = crc_range(start, length, responder)
    assert first == start
    assert end - first + 1 == length
    if responder is LOADER:
        assert length % 256 == 0, "it counts whole blocks, rounded down"


@pytest.mark.parametrize(("start", "length"), [(0, 0), (0, 100), (0, 257), (-1, 256), (0xFFFFFF00, 512), (0, 1 << 24)])
def test_a_range_the_bootloader_cannot_count_is_refused(start: int, length: int) -> None:
    with pytest.raises(ValueError, match=r"not a valid range|counts 1 to 65535 blocks"):
        crc_range(start, length, LOADER)


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        (0, 115044), (115200, 115044), (460800, 464286), (576000, 577778), (921600, 928571), (1_000_000, 1_000_000),
        (1_500_000, 1_529_412), (2_000_000, 2_000_000), (3_000_000, 2_888_889), (50_000_000, 5_200_000), (1, 3174),
    ],
)  # fmt: skip
def test_the_chip_makes_the_rate_its_divider_allows(asked: int, made: int) -> None:
    assert round(real_baud(asked)) == made


def test_no_chip_makes_a_negative_rate() -> None:
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        real_baud(-1)


def test_the_host_changes_its_rate_half_way_and_always_before_the_reply() -> None:
    for delay in (15, 20, 200):
        for responder in Responder:
            assert host_switch_s(delay) < reply_after_s(delay, responder)
    assert reply_after_s(20, LOADER) == pytest.approx(0.042)


# ---- addresses


def test_the_bootloader_guards_plain_addresses_and_none_one_flash_higher() -> None:
    for command in (c.READ_4K, c.ERASE, c.FLASH_WRITE):
        assert is_guarded(command, 0xFFFF, LOADER)
        assert not is_guarded(command, 0x10000, LOADER)
        assert not is_guarded(command, wrapped(0, 0x200000), LOADER)
        assert not is_guarded(command, 0, ROM)
    assert is_guarded(c.ERASE, 0x8000_0000, LOADER), "the comparison is signed"
    assert is_guarded(c.WRITE_4K, 0x20DF, LOADER)
    assert not is_guarded(c.WRITE_4K, 0x20E0, LOADER)
    assert not is_guarded(c.CHECK_CRC, 0, LOADER)
    with pytest.raises(ValueError, match="outside the flash"):
        wrapped(0x200000, 0x200000)


# ---- protection


@given(parts, st.integers(0, 0xFFFF))
def test_the_planned_status_write_unprotects_and_changes_nothing_else(part, sr: int) -> None:
    sr &= 0xFFFC & ((1 << part.bits) - 1)
    write = plan_unprotect(part, sr)
    after = sr if write is None else write.sr
    assert is_unprotected(part, after)
    assert (after ^ sr) & ~part.guard == 0
    assert plan_unprotect(part, after) is None, "never write what changes nothing"
    assert (write is None) == is_unprotected(part, sr)


@given(parts, st.integers(0, 0xFFFF))
def test_protecting_and_unprotecting_again_comes_back(part, sr: int) -> None:
    sr &= 0xFFFC & ((1 << part.bits) - 1) & ~part.guard
    write = plan_restore(part, sr, part.guard)
    assert write is not None
    assert not is_unprotected(part, write.sr)
    assert plan_restore(part, write.sr, part.guard) is None
    back = plan_unprotect(part, write.sr)
    assert back is not None
    assert back.sr == sr


@pytest.mark.parametrize(
    ("mid", "before", "write"),
    [
        (0x1560EB, 0x4004, StatusWrite(c.WRITE_SR_16, 0x01, 0x0000)),
        (0x1560EB, 0x06B4, StatusWrite(c.WRITE_SR_16, 0x01, 0x0680)),
        (0x15701C, 0x5C, StatusWrite(c.WRITE_SR, 0x01, 0x40)),
        (0x15701C, 0x40, None),
        (0x152085, 0x0000, None),
    ],
)
def test_status_words_seen_on_real_modules_lead_to_the_words_seen_after(mid: int, before: int, write) -> None:
    part = part_of(mid)
    assert part is not None
    assert plan_unprotect(part, before) == write


def test_bits_that_move_by_themselves_do_not_spoil_the_read_back() -> None:
    part = part_of(0x1560EB)
    assert part is not None
    write = plan_unprotect(part, 0x4006)
    assert write == StatusWrite(c.WRITE_SR_16, 0x01, 0)
    assert settled(part, write, 0x0003)
    assert not settled(part, write, 0x4000)
    with pytest.raises(ValueError, match="TH25Q16HB is busy"):
        plan_unprotect(part, 0x4005)


def test_status_bytes_are_joined_low_register_first() -> None:
    part = part_of(0x1560EB)
    assert part is not None
    assert joined(part, [0x04, 0x40]) == 0x4004
    with pytest.raises(ValueError, match="has 2 status registers"):
        joined(part, [4])


def test_the_table_of_parts_is_sound() -> None:
    assert len({part.mid for part in PARTS}) == len(PARTS)
    for part in PARTS:
        assert part.size in (1 << 19, 1 << 20, 1 << 21, 1 << 22, 1 << 23, 1 << 24)
        assert part.mask & 0x04, "the lowest block-protect bit is bit 2 on every part"
    assert part_of(0) is None, "an id that was not read names no part"
    assert flash_bytes(0x15) == 0x200000
    with pytest.raises(ValueError, match="capacity code 0x00"):
        flash_bytes(0)


# ---- budgets


def test_a_deadline_holds_the_bytes_own_time_on_the_wire() -> None:
    assert wire_s(4108, 115200) == pytest.approx(0.3566, abs=1e-4)
    assert reply_timeout_s(c.WRITE_4K, 115200, sent=4108) == pytest.approx(0.3 + 0.3566 + 0.0013, abs=1e-4)
    assert reply_timeout_s(c.READ_4K, 921600, sent=12) == pytest.approx(0.5 + 0.0447, abs=1e-3)
    assert reply_timeout_s(c.ERASE, 115200, erase=0xD8) > 3 > reply_timeout_s(c.ERASE, 115200, erase=0x20) > 1
    assert reply_timeout_s(c.CHECK_CRC, 921600, length=2 << 20) > 10
    assert reply_timeout_s(c.REBOOT, 115200) < 0.2


# ---- eFuse


def chip_with(efuse: bytes, *, valid: bool = True, busy: int = 1):
    """What a chip answers to each step."""
    state = {"address": 0, "busy": 0, "control": 0xFF00_1F02}

    def answer(step: RegisterAccess) -> int:
        if step.value is not None:
            assert step.address == EFUSE_CONTROL
            assert step.value & 0xFF00_0003 == 0xFF00_0001, "other bits keep their value"
            state.update(address=step.value >> 8 & 0x1F, busy=busy, control=step.value & ~1)
            return step.value
        if step.address == EFUSE_RESULT:
            return efuse[state["address"]] | (0x100 if valid else 0)
        state["busy"] -= 1
        return state["control"] | (state["busy"] >= 0)

    return answer


def run(steps, answer) -> EfuseBytes:
    step = next(steps)
    try:
        while True:
            step = steps.send(answer(step))
    except StopIteration as stop:
        return stop.value


@given(st.binary(min_size=32, max_size=32), st.integers(1, 32))
def test_the_efuse_is_read_byte_by_byte(efuse: bytes, count: int) -> None:
    got = run(read_efuse(count), chip_with(efuse))
    assert got.data == efuse[:count]
    assert got.key == (efuse[:16] if count >= 16 else None)


def test_bytes_that_the_chip_does_not_mark_valid_are_not_a_key() -> None:
    assert run(read_efuse(), chip_with(bytes(32), valid=False)).key is None


def test_a_controller_that_never_finishes_ends_in_a_clear_error() -> None:
    with pytest.raises(TargetError, match=f"eFuse byte 0: .* after {POLL_LIMIT} reads"):
        run(read_efuse(), chip_with(bytes(32), busy=1000))
    with pytest.raises(ValueError, match="the eFuse has 32 bytes, not 33"):
        next(read_efuse(33))
