"""The newest lines of the log in memory: bounded, without passwords, and not drowned by one line."""

from __future__ import annotations

import io
import logging

from wattrail.clock import ManualClock
from wattrail.gateway.logs import WINDOW_S, CollapseRepeats, SafeFormatter
from wattrail.gateway.recent_log import MAX_LINES, RecentLog


def logged(*records: tuple[int, str, object]) -> RecentLog:
    log, logger = RecentLog(), logging.getLogger("wattrail.story")
    logger.addHandler(log)
    try:
        for level, text, argument in records:
            logger.log(level, text, argument)
    finally:
        logger.removeHandler(log)
    return log


def test_the_newest_line_comes_first_and_only_warnings_are_kept() -> None:
    log = logged((logging.INFO, "read %s", 1), (logging.WARNING, "slow %s", 2), (logging.ERROR, "gone %s", 3))
    assert [(line.level, line.message, line.logger) for line in log.lines()] == [
        ("error", "gone 3", "wattrail.story"), ("warning", "slow 2", "wattrail.story"),
    ]  # fmt: skip


def test_a_password_is_not_kept_and_neither_is_an_escape() -> None:
    log = logged((logging.WARNING, "mqtt://me:hunter2@broker said %s", "\x1b[31m<script>\nnext"))
    (line,) = log.lines()
    assert "hunter2" not in line.message
    assert "\x1b" not in line.message
    assert "\n" not in line.message
    assert "<script>" in line.message  # it is text, and the page shows text


def test_a_line_that_repeats_hides_no_other() -> None:
    flood = [(logging.WARNING, "no answer from %s", "house")] * 5000
    log = logged((logging.ERROR, "disk %s", "full"), *flood)
    assert [(line.message, line.count) for line in log.lines()] == [("no answer from house", 5000), ("disk full", 1)]


def test_what_the_log_leaves_out_is_one_line_here_with_its_count() -> None:
    clock, stream, log, logger = ManualClock(), io.StringIO(), RecentLog(), logging.getLogger("wattrail.story")
    service = logging.StreamHandler(stream)
    service.setFormatter(SafeFormatter("%(message)s"))
    service.addFilter(CollapseRepeats(clock=clock))
    logger.addHandler(service)
    logger.addHandler(log)
    try:
        for window in range(5):
            for _ in range(2 + window):
                logger.warning("no answer from %s", "house")
            clock.advance(WINDOW_S)
    finally:
        logger.removeHandler(service)
        logger.removeHandler(log)
    assert stream.getvalue().splitlines()[-1] == "no answer from house (repeated 4 times)"
    assert [(line.message, line.count) for line in log.lines()] == [("no answer from house", 20)]


def test_it_keeps_so_many_lines_and_no_more() -> None:
    log = logged(*((logging.WARNING, "line %s", number) for number in range(MAX_LINES + 50)))
    lines = log.lines()
    assert len(lines) == MAX_LINES
    assert lines[-1].message == "line 50"


def test_a_record_that_cannot_be_written_harms_nobody() -> None:
    logging.raiseExceptions = False
    try:
        log = logged((logging.WARNING, "%d", "no number"))
    finally:
        logging.raiseExceptions = True
    assert log.lines() == ()
