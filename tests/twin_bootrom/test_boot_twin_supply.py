"""Six ways to feed a CBU that one user tried: where each gives way, and what helps."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bootrom.golden import SECTOR
from tests.twin_bootrom.conftest import Bench
from tests.twin_bootrom.test_boot_twin_rail import SUPPLY
from wattrail.bootrom import commands as c
from wattrail.bootrom.events import Answered
from wattrail.clock import ManualClock
from wattrail.errors import ConfigError
from wattrail.twin.bootrom import SUPPLIES, BootPhase, BootTwin, PowerSupply

LINK = bytes.fromhex("01 E0 FC 01 00")


def answers_link_check(bench: Bench) -> bool:
    """Reset, and LinkChecks for 0.3 s."""
    bench.twin.reset()
    for _ in range(60):
        if bytes.fromhex("04 0E 05 01 E0 FC 01 00") in bytes.fromhex(bench.say(LINK, 0.005)):
            bench.listen(0.02)
            return True
    return False


def session(
    supply: str | PowerSupply, *, chip: str = "N", seed: int = 0, sectors: int = 48, baud: int | None = 921600
) -> tuple[str, Bench]:
    """What any flasher does, until the chip no longer answers: the step at which it fell silent, or "done"."""
    bench = Bench(chip, linked=False, supply=supply, seed=seed, sr=0)
    bench.clock.advance(1)
    if not answers_link_check(bench):
        return "link", bench
    if baud and not isinstance(bench.set_baud(baud), Answered):
        return "rate", bench
    places = [0x11000 + 0x1000 * number for number in range(sectors)]
    steps = [("read", c.READ_4K, {"address": at}, b"") for at in places]
    for at in places:
        steps.append(("erase", c.ERASE, {"size": 0x20, "address": at}, b""))
        steps.append(("write", c.WRITE_4K, {"address": at}, SECTOR))
    steps.append(("check", c.CHECK_CRC, {"start": 0x11000, "end": 0x1FFFF}, b""))
    for name, command, fields, data in steps:
        if not isinstance(bench.ask(command, data, **fields), Answered):
            return name, bench
    return "done", bench


def first_reset(bench: Bench) -> str:
    """The activity of the first brown-out after the session's own reset at 1 s."""
    return next(activity for at, activity in bench.twin.resets if at > 1.0)


@pytest.mark.parametrize("chip", ["N", "T"])
@pytest.mark.parametrize(
    ("supply", "step", "activity"),
    [
        ("board regulator", "link", "starting"),
        ("usb + ldo", "rate", "changing rate"),
        ("ftdi ldo", "erase", "erasing"),
    ],
)
def test_each_weak_supply_gives_way_in_a_step_of_its_own(chip: str, supply: str, step: str, activity: str) -> None:
    for seed in range(5):
        where, bench = session(supply, chip=chip, seed=seed)
        assert (where, first_reset(bench)) == (step, activity)


def test_without_a_rate_change_the_second_set_up_reaches_the_first_erase() -> None:
    where, bench = session("usb + ldo", baud=None, sectors=2)
    assert (where, first_reset(bench)) == ("erase", "erasing")


def test_the_recommended_adapter_fails_in_a_different_write_each_time() -> None:
    runs = [session("ch340 + ldo", seed=seed, sectors=100) for seed in range(5)]
    assert [(where, first_reset(bench)) for where, bench in runs] == [("write", "programming")] * 5
    torn = {max(bench.twin.flash.dirty): bench.twin.flash for _, bench in runs}
    assert len(torn) > 2
    flash = torn[max(torn)]
    last = max(torn) * 0x1000
    assert flash.read(last - 0x1000, 0x1000) == SECTOR, "what was acknowledged stays"
    assert flash.read(last, 0x1000) != SECTOR
    assert flash.read(last + 0xF00, 0x100) == b"\xff" * 0x100, "and what had not begun never came"


@pytest.mark.parametrize("supply", ["ideal", "bench supply", "usb + ldo + capacitor"])
def test_a_good_supply_carries_the_whole_session_and_the_radio(supply: str) -> None:
    for seed in range(3):
        where, bench = session(supply, seed=seed)
        assert where == "done"
        bench.twin.reset()
        bench.clock.advance(60)
        assert bench.twin.phase is BootPhase.APP
        assert bench.twin.resets == ()


def test_a_bigger_capacitor_fixes_the_second_set_up_step_by_step() -> None:
    plain = SUPPLIES["usb + ldo"]
    assert plain is not None
    got = {times: session(replace(plain, farads=plain.farads * times))[0] for times in (1, 2, 10)}
    assert got == {1: "rate", 2: "erase", 10: "done"}
    _, bench = session(replace(plain, farads=plain.farads * 10))
    bench.twin.reset()
    bench.clock.advance(1)
    assert bench.twin.resets[-1][1] == "calibrating", "for the radio it takes a bigger one still"
    assert SUPPLIES["usb + ldo + capacitor"] == replace(plain, farads=1000e-6)


@pytest.mark.parametrize("supply", ["board regulator", "usb + ldo", "ftdi ldo", "ch340 + ldo"])
def test_a_weak_supply_lets_the_application_reset_over_and_over(supply: str) -> None:
    bench = Bench(linked=False, supply=supply)
    bench.clock.advance(10)
    times = [at for at, _ in bench.twin.resets]
    assert len(times) > 10
    assert times == sorted(times)
    assert max(at for at, _ in bench.twin.resets) > 9, "it never ends"


def test_the_loop_shows_on_the_log_uart_and_not_where_the_rom_is_silent() -> None:
    bench = Bench(linked=False, supply="ftdi ldo")
    log = bench.twin.port(wiring="uart2")
    bench.clock.advance(3)
    assert len(bench.twin.resets) > 4
    assert len(bench.twin.resets) - 1 <= log.drain().count(b"V:BK7231N_1.0.1") <= len(bench.twin.resets)
    silent = Bench(linked=False, supply="board regulator")
    log = silent.twin.port(wiring="uart2")
    silent.clock.advance(3)
    assert log.drain() == b"", "the boot ROM has nothing to say before it fails"


def test_a_host_that_sends_link_checks_long_enough_is_heard_in_a_loop() -> None:
    bench = Bench(linked=False, supply="ch340 + ldo")
    bench.clock.advance(0.5)
    answers = [bench.say(LINK, 0.005) for _ in range(200)]
    assert "04 0E 05 01 E0 FC 01 00" in answers
    assert bench.twin.phase is BootPhase.LINKED


# ---- the rail as the bench shows it


def test_the_rail_can_be_measured() -> None:
    bench = Bench(linked=False, supply="usb + ldo")
    bench.twin.hold_reset()
    bench.clock.advance(1)
    assert bench.twin.rail_volts == pytest.approx(3.3 - 0.002 * 4.0)
    bench = Bench(linked=False, supply="bench supply")
    bench.twin.power(False)
    bench.clock.advance(1)
    assert bench.twin.rail_volts == 0.0
    assert bench.twin.resets == (), "switching it off by hand is not a brown-out"
    assert Bench(linked=False).twin.rail_volts == 3.3


def test_a_capacitor_delays_the_start_and_no_window_is_lost() -> None:
    small = Bench(linked=False, supply="bench supply")
    large = Bench(linked=False, supply=PowerSupply(3.3, 4.0, 10e-3, limit_amps=0.2))
    for bench in (small, large):
        bench.twin.power(False)
        bench.clock.advance(10)
        bench.twin.power(True)
        bench.clock.advance(0.05)
    assert small.twin.phase is BootPhase.WINDOW
    assert large.twin.phase is BootPhase.OFF, "10 mF through 4 ohms take their time"
    large.clock.advance(0.2)
    assert large.twin.phase is BootPhase.WINDOW


def test_a_held_chip_stays_in_reset_whatever_the_rail_does() -> None:
    bench = Bench(linked=False, supply="ftdi ldo")
    bench.twin.hold_reset()
    bench.clock.advance(5)
    assert bench.twin.phase is BootPhase.OFF
    assert len(bench.twin.resets) <= 1
    bench.twin.reset()
    bench.clock.advance(0.01)
    assert bench.twin.phase is BootPhase.WINDOW


def test_the_same_seed_browns_out_at_the_same_moments() -> None:
    assert session("ch340 + ldo", seed=3)[1].twin.resets == session("ch340 + ldo", seed=3)[1].twin.resets
    assert session("ch340 + ldo", seed=3)[1].twin.resets != session("ch340 + ldo", seed=4)[1].twin.resets


def test_looking_more_often_changes_nothing() -> None:
    patient, curious = (BootTwin("N", clock=ManualClock(), supply="ftdi ldo") for _ in range(2))
    patient.clock.sleep(2)
    for _ in range(2000):
        curious.clock.sleep(0.001)
        assert 0 <= curious.rail_volts < 3.31
    assert [at for at, _ in curious.resets] == pytest.approx([at for at, _ in patient.resets])


def test_a_supply_nobody_knows_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match="no supply 'battery'") as error:
        BootTwin("N", supply="battery")
    assert "bench supply" in str(error.value.hint)


@settings(max_examples=40, deadline=None)
@given(SUPPLY, st.sampled_from(["N", "T"]), st.integers(0, 9))
def test_no_supply_however_odd_upsets_the_twin(supply: PowerSupply, chip: str, seed: int) -> None:
    _, bench = session(supply, chip=chip, seed=seed, sectors=2)
    assert 0 <= bench.twin.rail_volts <= max(supply.volts, 3.3)
    times = [at for at, _ in bench.twin.resets]
    assert times == sorted(times)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert all(gap > 0.019 for gap in gaps), "every reset holds the chip for its time"
