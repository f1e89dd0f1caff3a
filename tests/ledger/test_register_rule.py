"""What the step of a network meter's register means. One count is a watt-hour; 23 kW are 383 of them a minute."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from wattrail.energy_register import BootEvidence, Direction, EnergyRegister, Persistence, fastest
from wattrail.errors import LedgerError
from wattrail.ledger import Channels, Entry, EntryKind, Epoch, Ledger, LedgerSlice, Observation, audit
from wattrail.ledger.boot import Boot
from wattrail.ledger.register_rule import MARK_HOLDS_US, RegisterCircumstances, RegisterRule, RegisterStep

NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)
MINUTE_US = 60_000_000
KILOWATT = 1_000_000
WH = Fraction(1000)
SAVED = EnergyRegister(
    name="total", step_mwh=WH, direction=Direction.IMPORT, persistence=Persistence.SAVED,
    max_counts_per_us=fastest(23_000, WH),
)  # fmt: skip
KEPT = replace(SAVED, persistence=Persistence.KEPT)
VOLATILE = replace(SAVED, persistence=Persistence.VOLATILE)
UNKNOWN = replace(SAVED, persistence=Persistence.UNKNOWN)


class Account:
    """Readings a minute apart, booked."""

    def __init__(self, *registers: EnergyRegister, silence_minutes: float = 3) -> None:
        self.epochs = {1: Epoch(number=1, registers=registers)}
        self.silence_us = round(silence_minutes * MINUTE_US)
        self.ledger = Ledger(self.epochs[1], longest_silence_us=self.silence_us)
        self.entries: list[Entry] = []
        self.minute = 0

    def read(self, *counts: int, after: int | None = 1, watt: int | None = KILOWATT, **boot: object) -> None:
        self.minute += after or 1
        seen = Observation(
            at=NOON + timedelta(minutes=self.minute), elapsed_us=None if after is None else after * MINUTE_US,
            count=counts[0], export_count=counts[1] if len(counts) > 1 else None, watt=watt,
            boot=BootEvidence(**boot) if boot else None,  # type: ignore[arg-type]
        )  # fmt: skip
        self.entries += self.ledger.observe(seen)

    @property
    def wh(self) -> float:
        """Import, with what is not yet an entry."""
        return self.ledger.totals().import_mwh / 1000

    @property
    def kinds(self) -> list[EntryKind]:
        return [entry.kind for entry in self.entries if entry.kind not in {EntryKind.COUNTED, EntryKind.START}]

    def check(self) -> None:
        """The ledger replays and holds against an audit."""
        entries = (*self.entries, *self.ledger.close())
        assert audit(LedgerSlice(entries=entries, epochs=self.epochs)).findings == ()
        assert Ledger.replay(entries, self.epochs).totals() == self.ledger.totals()


def account(register: EnergyRegister, counts: Iterable[int]) -> Account:
    made = Account(register)
    for count in counts:
        made.read(count)
    made.check()
    return made


def test_a_total_that_fell_back_to_its_save_counts_on_from_there() -> None:
    house = Account(SAVED)
    house.read(10_500, uptime_s=9000.0)
    house.read(10_100, uptime_s=20.0)
    house.read(10_300, uptime_s=80.0)
    assert (house.wh, house.kinds) == (200, [EntryKind.RESTART])
    (restart,) = (entry for entry in house.entries if entry.kind is EntryKind.RESTART)
    assert "it shows 10100 after 10500" in restart.note
    house.check()


def test_a_young_total_that_falls_without_evidence_books_nothing() -> None:
    house = Account(SAVED, silence_minutes=15)
    for count in (1000, 800, 800, 810):
        house.read(count, after=5)
    assert (house.wh, house.kinds) == (10, [EntryKind.RESTART])
    house.check()


def test_a_zero_that_is_shown_once_is_not_booked() -> None:
    house = account(UNKNOWN, [5000, 5010, 0, 5030])
    assert (house.wh, house.kinds) == (30, [])


def test_a_cached_zero_that_stands_and_goes_books_what_was_counted() -> None:
    house = account(UNKNOWN, [50, 60, 0, 0, 0, 110])
    assert house.wh == 60
    assert house.kinds == [EntryKind.RESTART, EntryKind.GAP]


def test_a_total_restored_late_is_not_energy() -> None:
    house = Account(SAVED)
    house.read(300, uptime_s=9000.0)
    house.read(0, uptime_s=10.0)
    house.read(316, uptime_s=70.0)  # below what 23 kW could do, far above what a kilowatt does
    assert (house.wh, house.kinds) == (16, [EntryKind.RESTART, EntryKind.GAP])
    house.check()


def test_garbage_that_stands_is_a_gap_and_its_end_books_the_time() -> None:
    house = account(SAVED, [5000, 42_949_670, 42_949_670, 42_949_670, 5064, 5080])
    assert (house.wh, house.kinds) == (80, [EntryKind.GAP, EntryKind.GAP])


def test_a_billing_meter_that_falls_is_not_believed_however_long() -> None:
    house = account(KEPT, [9000, 9010, 12, 13, 14, 15])
    assert house.wh == 10
    assert "went from 9010 to 12, and nothing says why: not booked" in house.ledger.doubted
    house.read(9030)
    assert (house.wh, house.ledger.doubted, house.kinds) == (30, "", [EntryKind.GAP])


def test_a_plug_that_began_at_zero_books_what_it_shows_since() -> None:
    house = Account(VOLATILE)
    house.read(700, uptime_s=5000.0)
    house.read(5, uptime_s=30.0)
    assert (house.wh, house.kinds) == (5, [EntryKind.RESTART])
    assert house.entries[-1].note == "the register began again: it shows 5 after 700"
    house.read(1000, uptime_s=10.0)  # more than ten seconds can bring
    assert (house.wh, house.kinds) == (5, [EntryKind.RESTART] * 2)
    house.check()


def test_an_uptime_that_was_read_early_in_a_slow_poll_is_not_a_restart() -> None:
    house = Account(VOLATILE)
    house.read(10, uptime_s=1.0)
    house.read(26, uptime_s=51.0, uptime_age_s=9.6)  # ten seconds short of a minute
    assert (house.wh, house.kinds) == (16, [])
    house.read(42, uptime_s=40.0, uptime_age_s=9.6)
    assert house.kinds == [EntryKind.RESTART]
    house.check()


def test_an_uptime_that_stands_still_is_not_a_restart_of_an_old_device() -> None:
    house = Account(VOLATILE)
    house.read(10_000, uptime_s=5000.0)
    house.read(10_016, uptime_s=5020.0)  # forty seconds behind, and older than the minute between
    assert (house.wh, house.kinds) == (16, [])
    house.check()


def test_a_restart_in_a_slow_poll_is_seen_and_books_the_time_since() -> None:
    house = Account(VOLATILE)
    house.read(700, uptime_s=5000.0)
    house.read(60, uptime_s=1.0, uptime_age_s=9.0)  # counted in up to ten seconds, at 23 kW
    assert (house.wh, house.kinds) == (60, [EntryKind.RESTART])
    house.check()


def test_a_fall_below_its_slack_keeps_the_higher_value() -> None:
    house = account(replace(SAVED, slack=1), [44_790, 44_789, 44_790, 44_792])
    assert (house.wh, house.kinds) == (2, [])


def test_a_register_of_23_bits_wraps() -> None:
    house = account(replace(KEPT, modulus=1 << 23), [(1 << 23) - 5, 7])
    assert (house.wh, house.kinds) == (12, [])


def test_silence_is_measured_by_the_cadence_of_the_source() -> None:
    house = Account(SAVED, silence_minutes=180)
    for count in (0, 60, 120):
        house.read(count, after=60)
    assert (house.wh, house.kinds) == (120, [])
    house.read(500, after=240)
    assert (house.wh, house.kinds) == (500, [EntryKind.GAP])
    house.check()


def test_a_rise_after_a_power_cut_is_not_believed_where_firmware_adds() -> None:
    house = Account(replace(SAVED, may_rise=True))
    house.read(1000, boot_count=4, is_power_on=False)
    house.read(1300, boot_count=5, is_power_on=True)
    house.read(1310, boot_count=6, is_power_on=False)
    assert (house.wh, house.kinds) == (10, [EntryKind.RESTART])
    house.check()


@pytest.mark.parametrize("change", [{"start_stamp": "b"}, {"start_stamp": "a", "revision": "2"}])
def test_a_total_that_was_set_or_firmware_that_changed_books_nothing(change: dict[str, str]) -> None:
    house = Account(SAVED)
    house.read(1000, start_stamp="a")
    house.read(1100, **change)
    house.read(1110, **change)
    assert (house.wh, house.kinds) == (10, [EntryKind.RESTART])
    house.check()


def test_import_and_export_apart_are_booked_apart() -> None:
    house = Account(*Channels.of([KEPT, replace(KEPT, name="export", direction=Direction.EXPORT)]).registers)
    house.read(100, 50)
    house.read(107, 53)
    totals = house.ledger.totals()
    assert (totals.import_mwh, totals.export_mwh, totals.undirected_mwh) == (7000, 3000, 0)
    house.check()


EXPORT = replace(SAVED, name="export", direction=Direction.EXPORT)


@pytest.mark.parametrize(
    ("direction", "shown", "booked"),
    [(Direction.SUM, (130, 30), (100, 30)), (Direction.NET, (70, 30), (100, 30)), (Direction.IMPORT, (9, 30), (9, 30))],
)
def test_import_follows_from_sum_or_net_and_export(
    direction: Direction, shown: tuple[int, int], booked: tuple[int, int]
) -> None:
    channels = Channels.of([replace(SAVED, direction=direction), EXPORT])
    assert channels.counts(shown) == booked
    assert [register.direction for register in channels.registers] == [Direction.IMPORT, Direction.EXPORT]


def test_registers_of_different_steps_meet_in_the_greatest_common_one() -> None:
    fine = replace(EXPORT, step_mwh=Fraction(50, 3), max_counts_per_us=fastest(23_000, Fraction(50, 3)))
    channels = Channels.of([SAVED, fine])
    assert channels.registers[0].step_mwh == Fraction(50, 3)
    assert channels.counts([2, 7]) == (120, 7)


def test_phases_are_added_up() -> None:
    phases = [replace(KEPT, name=f"{phase}.import") for phase in "abc"]
    channels = Channels.of(phases)
    assert channels.counts([1, 2, 3]) == (6,)
    assert channels.registers[0].name == "a.import+b.import+c.import"


@pytest.mark.parametrize(
    ("direction", "slack", "may_rise"),
    [(Direction.SUM, 2 + 3 + 2, False), (Direction.NET, 2 + 3 + 2, True), (Direction.IMPORT, 2, False)],
)
def test_a_difference_falls_by_a_count_of_each_and_net_may_rise(
    direction: Direction, slack: int, may_rise: bool
) -> None:
    imported, exported = Channels.of([replace(SAVED, direction=direction, slack=2), replace(EXPORT, slack=3)]).registers
    assert (imported.slack, imported.may_rise) == (slack, may_rise)
    assert (exported.slack, exported.may_rise) == (3, False)


def test_a_sum_of_registers_is_trusted_as_its_least_trusted_one() -> None:
    one, two = replace(KEPT, modulus=1 << 23, is_confirmed=True), replace(SAVED, name="b", modulus=1 << 23)
    (both,) = Channels.of([one, two]).registers
    assert (both.persistence, both.modulus, both.is_confirmed) == (Persistence.UNKNOWN, None, False)
    assert both.max_counts_per_us == 2 * SAVED.max_counts_per_us
    (alike,) = Channels.of([one, replace(one, name="b")]).registers
    assert (alike.persistence, alike.is_confirmed) == (Persistence.KEPT, True)


def test_a_register_apart_from_export_keeps_its_own_range() -> None:
    imported, exported = Channels.of([replace(KEPT, modulus=1 << 23), replace(EXPORT, modulus=1 << 16)]).registers
    assert (imported.modulus, exported.modulus) == (1 << 23, 1 << 16)


def test_net_energy_alone_is_refused_with_what_to_name() -> None:
    with pytest.raises(LedgerError, match="is import less export, and no register of export") as refused:
        Channels.of([replace(SAVED, direction=Direction.NET)])
    assert "name the export register too" in (refused.value.hint or "")


def test_a_meter_that_is_exchanged_counts_on_from_what_the_new_one_shows() -> None:
    house = Account(KEPT)
    house.read(9000)
    house.epochs[2] = Epoch(number=2, registers=(KEPT,))
    house.entries += house.ledger.begin_epoch(house.epochs[2])
    house.read(12)
    house.read(15)
    assert (house.wh, house.kinds) == (3, [EntryKind.EPOCH, EntryKind.GAP])
    house.check()


def test_a_host_that_was_away_believes_no_total_that_its_pause_rules_out() -> None:
    house = Account(SAVED)
    house.read(1000)
    house.read(9_999_999, after=None)
    house.read(1100)
    assert house.wh == 100
    house.check()


def test_a_held_value_that_moves_back_is_compared_with_its_new_value() -> None:
    house = account(UNKNOWN, [9000, 9010, 12, 11, 11, 14])
    assert (house.wh, house.kinds) == (13, [EntryKind.RESTART])


@pytest.mark.parametrize(
    ("age_us", "mark"), [(0, 900), (MARK_HOLDS_US, 900), (MARK_HOLDS_US + 1, 400)], ids=["new", "an hour", "older"]
)
def test_of_two_falls_within_the_hour_the_higher_value_stays_the_mark(age_us: int, mark: int) -> None:
    seen = RegisterCircumstances(elapsed_us=MINUTE_US, boot=Boot.SOFT, mark=900, mark_age_us=age_us)
    step = RegisterRule(SAVED).judge(400, 0, seen)
    assert (step.kind, step.counts, step.count, step.mark) == (EntryKind.RESTART, 0, 0, mark)


def test_a_register_from_zero_books_what_its_uptime_allows_and_no_more() -> None:
    rule = RegisterRule(VOLATILE)
    # 23 kW are 63.9 Wh in ten seconds, and two counts of slack
    seen = RegisterCircumstances(elapsed_us=MINUTE_US, boot=Boot.SOFT, uptime_us=10_000_000)
    assert rule.judge(700, 65, seen) == RegisterStep(
        EntryKind.RESTART, 65, 65, "the register began again: it shows 65 after 700", mark=765
    )
    beyond = rule.judge(700, 66, seen)
    assert (beyond.kind, beyond.counts, beyond.count, beyond.mark) == (EntryKind.RESTART, 0, 66, 700)
    assert "more than it can have counted since" in beyond.note


def test_a_rise_after_a_restart_is_counted_as_far_as_time_allows() -> None:
    rule = RegisterRule(SAVED)
    seen = RegisterCircumstances(elapsed_us=MINUTE_US, boot=Boot.SOFT)
    # 23 kW are 383.3 Wh a minute, and two counts of slack
    assert rule.judge(1000, 1385, seen) == RegisterStep(EntryKind.COUNTED, 385, 1385)
    beyond = rule.judge(1000, 1386, seen)
    assert (beyond.kind, beyond.counts, beyond.mark) == (EntryKind.RESTART, 0, None)


def test_a_jump_to_the_mark_is_energy_as_far_as_power_explains_it() -> None:
    rule = RegisterRule(SAVED)
    # a kilowatt, half as much again and 20 W are 25.3 Wh a minute, and two counts of slack
    seen = RegisterCircumstances(elapsed_us=MINUTE_US, mark=900, mark_age_us=MINUTE_US, milliwatts=KILOWATT)
    counted, restored = rule.judge(873, 900, seen), rule.judge(872, 905, seen)
    assert (counted.kind, counted.counts) == (EntryKind.COUNTED, 27)
    assert (restored.kind, restored.counts, restored.count) == (EntryKind.GAP, 5, 905)
    note = "the register went from 872 back to its former value 900, and shows 900"
    assert rule.judge(872, 900, seen) == RegisterStep(EntryKind.GAP, 0, 900, note)
    unknown = rule.judge(899, 901, replace(seen, milliwatts=None))
    assert (unknown.kind, unknown.counts) == (EntryKind.GAP, 1)


def test_a_fall_that_is_confirmed_books_what_power_explains_and_no_more() -> None:
    rule = RegisterRule(SAVED)
    seen = RegisterCircumstances(elapsed_us=MINUTE_US, held=12, milliwatts=KILOWATT)
    note = "the register fell from 9010 to 12, and a second reading stands by it: assumed a restart"
    assert rule.judge(9010, 12 + 27, seen) == RegisterStep(EntryKind.RESTART, 27, 39, note, mark=9037)
    assert rule.judge(9010, 12 + 28, seen) == RegisterStep(EntryKind.RESTART, 0, 40, note, mark=9010)


def test_a_rise_of_a_register_that_was_read_twice_is_a_gap_at_once() -> None:
    step = RegisterRule(replace(SAVED, is_confirmed=True)).judge(
        1000, 2000, RegisterCircumstances(elapsed_us=MINUTE_US)
    )
    note = "the register went from 1000 to 2000, more than the 385 counts that time allows"
    assert step == RegisterStep(EntryKind.GAP, 0, 2000, note, mark=1000)


def test_a_register_that_may_rise_by_itself_stays_so_beside_export() -> None:
    imported, exported = Channels.of([replace(SAVED, may_rise=True), EXPORT]).registers
    assert (imported.may_rise, exported.may_rise) == (True, False)


@pytest.mark.parametrize("repeated_after_s", [0.05, 1.0])
def test_totals_of_a_stalled_connection_lose_nothing(repeated_after_s: float) -> None:
    """Two minutes of silence, then the old total and the new one in one moment, and the new one once more."""
    house = Account(SAVED)
    house.read(1000)
    late = [(1000, 120.0), (1042, 0.02), (1042, repeated_after_s)]
    second = 60.0
    for count, after in late:
        second += after
        seen = Observation(
            at=NOON + timedelta(seconds=second), elapsed_us=round(after * 1e6), count=count, watt=KILOWATT
        )
        house.entries += house.ledger.observe(seen)
    house.entries += house.ledger.close()
    assert (house.wh, house.kinds) == (42, [EntryKind.GAP])
    house.check()


def test_a_rise_that_no_late_delivery_explains_is_still_no_energy() -> None:
    house = Account(SAVED)
    house.read(1000)
    house.read(1383)  # as fast as can be: nothing is left over
    for after_s in (1.0, 1.0):
        second = house.minute * 60 + after_s
        seen = Observation(at=NOON + timedelta(seconds=second), elapsed_us=1_000_000, count=1500, watt=KILOWATT)
        house.entries += house.ledger.observe(seen)
    assert (house.wh, house.kinds) == (383, [EntryKind.GAP])


def test_a_cached_zero_after_another_fall_ends_at_the_value_before_it() -> None:
    """A day register: midnight, then twice a zero of a cache. The highest former value is that of yesterday."""
    house = Account(replace(SAVED, persistence=Persistence.PERIODIC))
    for count in (38_730, 38_733, 0, 3, 6, 9, 0, 0):
        house.read(count, watt=180_000)
    house.read(18, watt=180_000)
    house.read(21, watt=180_000)
    assert house.wh == 3 + 21
    house.check()


def test_a_periodic_register_that_falls_to_a_save_is_said_to_be_none() -> None:
    house = Account(replace(SAVED, persistence=Persistence.PERIODIC))
    for count in (5000, 5010, 4990, 5000, 5010):
        house.read(count)
    assert house.wh == 10 + 10 + 10
    (restart,) = (entry for entry in house.entries if entry.kind is EntryKind.RESTART)
    assert "the register fell from 5010 to 4990" in restart.note
    assert restart.note.endswith("total is declared class D, and did not begin at 0: booked as class B")
    assert house.ledger.misdeclared == restart.note
    house.check()


def test_a_restart_that_the_device_admits_shows_a_wrong_class_too() -> None:
    house = Account(replace(SAVED, persistence=Persistence.PERIODIC))
    house.read(5010, uptime_s=9000.0)
    house.read(4990, uptime_s=20.0)
    assert "the device restarted: it shows 4990 after 5010" in house.ledger.misdeclared


def test_a_periodic_register_that_begins_at_0_is_what_it_says() -> None:
    house = account(replace(SAVED, persistence=Persistence.PERIODIC), (5000, 5010, 3, 20, 40))
    assert (house.wh, house.ledger.misdeclared) == (10 + 17 + 20, "")


def test_a_saved_register_that_falls_to_a_save_needs_no_word() -> None:
    assert account(SAVED, (5000, 5010, 4990, 5000)).ledger.misdeclared == ""


def test_a_leap_past_a_former_value_does_not_restore_hours_of_energy() -> None:
    """For an hour the former value may come back, with what a cache can have hidden: not with all that fits an hour."""
    house = Account(SAVED)
    for count in (500, 507, 0, 2, *range(10, 400, 10), 6894, 6897, 6900):
        house.read(count)
    assert house.wh < 500
    house.check()
