"""What is asked of a twin holds from its first instant, on a clock that does not wait while the twin is made.

On a clock that stands still no time passes between the making of a chip and the conditions set on it: there a twin that
begins with other mains looks right. The values here follow from what was asked and from the datasheet alone.
"""

from __future__ import annotations

import pytest

from wattrail.chips.bl0942.registers import CF_CNT, FREQ, I_RMS, V_RMS, WATT
from wattrail.clock import Deadline, ManualClock
from wattrail.transport import Port, open_port
from wattrail.twin import open_twin
from wattrail.twin.front_end import Deviation

SLOW_S = 0.256
"""What opening may take between any two reads of the clock, as measured on a busy machine."""


class BusyClock(ManualClock):
    """A clock that goes on by itself: every read finds it later."""

    def monotonic(self) -> float:
        self.advance(SLOW_S)
        return super().monotonic()


def test_a_meter_without_load_never_counted_anything() -> None:
    twin = open_twin("pziot-e01", clock=BusyClock(), powered_for=10, amps=0.0, deviation=Deviation())
    assert (twin.chip.peek(CF_CNT), twin.chip.peek(I_RMS), twin.chip.peek(WATT)) == (0, 0, 0)
    assert twin.truth.import_wh == 0.0


def test_the_energy_of_the_first_moments_is_that_of_the_asked_power() -> None:
    clock = BusyClock()
    twin = open_twin("pziot-e01", clock=clock, watts=-3600.0, deviation=Deviation())
    exported, seconds = twin.truth.export_wh, twin.now()
    assert twin.truth.import_wh == 0.0
    assert seconds - SLOW_S - 1e-6 <= exported <= seconds  # 3600 W are a watt-hour a second


def test_a_frequency_register_below_its_threshold_never_saw_the_mains() -> None:
    # V_RMS of 20 V is below 0x80000: the datasheet's FREQ then stays at its reset value, whatever the mains do.
    twin = open_twin("lspa9", clock=BusyClock(), powered_for=10, volts=20.0, hertz=60.0, amps=0.0)
    assert twin.chip.peek(V_RMS) < 0x80000
    assert twin.chip.peek(FREQ) == FREQ.reset


@pytest.mark.parametrize("hertz", [45.0, 60.0])
def test_a_settled_meter_shows_what_was_asked_and_nothing_of_a_default(hertz: float) -> None:
    twin = open_twin("lspa9", clock=BusyClock(), powered_for=1.0, volts=115.0, hertz=hertz, deviation=Deviation())
    assert twin.chip.peek(V_RMS) == round(3653168 / 2)  # half of what 230 V are
    assert twin.chip.peek(FREQ) == pytest.approx(1e6 / hertz, abs=8)


def test_a_url_holds_it_too_from_the_first_frame_on() -> None:
    clock = BusyClock()
    with open_port("twin://lspa9?volts=20&hertz=60&amps=0&noise=0", clock=clock) as port:
        assert isinstance(port, Port)
        port.write(bytes.fromhex("58 08"))
        deadline, got = Deadline.after(300, clock), b""
        while len(got) < 4:
            got += port.read(deadline)
    assert int.from_bytes(got[:3], "little") == FREQ.reset


def test_what_was_asked_can_be_let_go_and_the_scenario_goes_on() -> None:
    clock = ManualClock()
    twin = open_twin("pziot-e01", clock=clock, amps=1.0)
    assert twin.truth.amps == pytest.approx(1.0)
    twin.follow_scenario()
    clock.advance(1)
    assert twin.truth.amps == pytest.approx(5.0)  # the bench's own load
