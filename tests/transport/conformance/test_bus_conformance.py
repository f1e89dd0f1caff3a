"""What every SPI bus does, whatever clocks it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from transport_rigs import FRAME, BitChip, BusRig, ByteChip, answer_of, shortly, soon

from wattrail.clock import Deadline, ManualClock
from wattrail.errors import PortLost, PortTimeout

OpenBusRig = Callable[..., BusRig]


def test_a_frame_goes_out_and_as_many_bytes_come_in(open_bus_rig: OpenBusRig) -> None:
    rig = open_bus_rig()
    assert rig.bus.transfer(FRAME, soon()) == answer_of(FRAME)
    if isinstance(rig.chip, ByteChip):
        assert rig.chip.frames == [FRAME]
    if isinstance(rig.chip, BitChip):
        assert rig.chip.taken_bytes == FRAME


def test_frames_follow_each_other(open_bus_rig: OpenBusRig) -> None:
    bus = open_bus_rig().bus
    assert [bus.transfer(FRAME, soon()) for _ in range(3)] == [answer_of(FRAME)] * 3


def test_a_deadline_that_has_passed_clocks_nothing(open_bus_rig: OpenBusRig) -> None:
    clock = ManualClock()
    rig = open_bus_rig(clock=clock)
    with pytest.raises(PortTimeout):
        rig.bus.transfer(FRAME, Deadline(clock, at=-1.0))
    assert not (rig.chip.frames if isinstance(rig.chip, ByteChip) else getattr(rig.chip, "taken", []))


def test_closing_twice_is_harmless(open_bus_rig: OpenBusRig) -> None:
    bus = open_bus_rig().bus
    bus.close()
    bus.close()


def test_a_closed_bus_says_so(open_bus_rig: OpenBusRig) -> None:
    with open_bus_rig().bus as bus:
        pass
    with pytest.raises(PortLost, match="closed"):
        bus.transfer(FRAME, shortly())


def test_a_bus_knows_its_url_its_clock_and_that_it_is_real(open_bus_rig: OpenBusRig) -> None:
    clock = ManualClock()
    rig = open_bus_rig(clock=clock)
    assert rig.bus.url == rig.url
    assert rig.bus.clock is clock
    assert rig.bus.simulated is False
