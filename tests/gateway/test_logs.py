"""The log of the service: foreign text does nothing, passwords do not show, what repeats is counted."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from wattrail.clock import ManualClock
from wattrail.gateway import logs
from wattrail.gateway.logs import CollapseRepeats, SafeFormatter

logger = logging.getLogger("tests.logs")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def written(clock: ManualClock) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(SafeFormatter("%(levelname)s %(message)s"))
    handler.addFilter(CollapseRepeats(clock=clock))
    logger.addHandler(handler)
    logger.propagate = False
    yield stream
    logger.removeHandler(handler)
    logger.propagate = True


def test_a_line_break_or_an_escape_from_outside_makes_no_line_of_its_own(written: io.StringIO) -> None:
    logger.warning("no page %s", "/x\n2026-01-01 ERROR all meters are lost\x1b[2J")
    assert written.getvalue() == r"WARNING no page /x\x0a2026-01-01 ERROR all meters are lost\x1b[2J" + "\n"


def test_a_password_in_an_error_does_not_show(written: io.StringIO) -> None:
    try:
        raise OSError("mqtt://me:p@ss@host refused")
    except OSError:
        logger.exception("cannot reach %s", "mqtt://me:p@ss@host/x")
    assert "p@ss" not in written.getvalue()
    assert "mqtt://***@host" in written.getvalue()
    assert "Traceback" in written.getvalue()


def test_a_line_that_repeats_is_written_once_and_counted(written: io.StringIO, clock: ManualClock) -> None:
    for _ in range(1235):
        logger.warning("out of descriptors")
        clock.advance(0.01)
    clock.advance(60)
    logger.warning("out of descriptors")
    assert written.getvalue().splitlines() == [
        "WARNING out of descriptors",
        "WARNING out of descriptors (repeated 1,234 times)",
    ]


def test_lines_of_one_kind_that_differ_are_bounded_too(written: io.StringIO) -> None:
    for number in range(5000):
        logger.warning("refused %d", number)
    assert len(written.getvalue().splitlines()) == logs.MAX_ALIKE


def test_frames_repeat_and_every_one_is_written(written: io.StringIO) -> None:
    logger.setLevel(logging.DEBUG)
    for _ in range(300):
        logger.debug("-> 58 AA")
    logger.setLevel(logging.NOTSET)
    assert written.getvalue().splitlines() == ["DEBUG -> 58 AA"] * 300
