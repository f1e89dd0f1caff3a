"""A bridge on a network answers later than any wire; the same limits would call its chip silent."""

from __future__ import annotations

import pytest

from tests.meter.lines import Line
from wattrail.flasher.boot_client import BootClient

LINK_CHECK = bytes.fromhex("01 E0 FC 01 00")
ANSWER = bytes.fromhex("04 0E 05 01 E0 FC 01 00")


def bridge(late_s: float) -> Line:
    return Line("rfc2217://192.168.1.20:2217", answers=lambda data: [(late_s, ANSWER)] if data == LINK_CHECK else [])


@pytest.mark.parametrize("late_s", [0.02, 0.25, 0.3, 0.5])
def test_a_chip_behind_a_bridge_is_given_the_bridge_s_time(late_s: float) -> None:
    # 250 ms: esp-link #275; 300 ms: ESPEasy #4983.
    assert BootClient(bridge(late_s), network=True).answers(3)


def test_a_wire_is_not_waited_for_as_long() -> None:
    line = bridge(0.3)
    assert not BootClient(line).answers()
    assert line.clock.monotonic() < 0.3


def test_bytes_still_under_way_over_a_bridge_are_awaited_before_asking() -> None:
    line = bridge(0.3)
    line.write(LINK_CHECK)
    assert BootClient(line, network=True).drain_until_quiet() == ANSWER
