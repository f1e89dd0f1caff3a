from __future__ import annotations

from wattrail.cli.meter.watch import sparkline


def test_a_history_runs_from_its_lowest_to_its_highest() -> None:
    assert sparkline([0.0, 0.5, 1.0]) == "▁▅█"


def test_a_flat_history_stays_at_the_bottom() -> None:
    assert sparkline([230.0, 230.0]) == "▁▁"


def test_what_is_not_known_is_left_blank() -> None:
    assert sparkline([None, 1.0, None, 2.0]) == " ▁ █"
    assert sparkline([None]) == " "
    assert sparkline([]) == ""
