"""The log of the service: foreign text does nothing, passwords do not show, what repeats is counted."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from wattrail.clock import ManualClock
from wattrail.gateway import logs
from wattrail.gateway.logs import (
    CollapseRepeats,
    JsonFormatter,
    SafeFormatter,
    formatter_of,
    is_journal,
    set_up_logging,
)

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


def test_a_line_that_many_threads_write_together_is_written_once(written: io.StringIO) -> None:
    together = threading.Barrier(8)

    def write() -> None:
        for number in range(logs.MAX_ALIKE):
            together.wait(60)
            logger.warning("meter %d is lost", number)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that threads meet inside the filter
    try:
        threads = [threading.Thread(target=write) for _ in range(together.parties)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        sys.setswitchinterval(before)
    lines = written.getvalue().splitlines()
    assert len(lines) == len(set(lines)) == logs.MAX_ALIKE


def test_lines_of_one_kind_that_differ_are_bounded_too(written: io.StringIO) -> None:
    for number in range(5000):
        logger.warning("refused %d", number)
    assert len(written.getvalue().splitlines()) == logs.MAX_ALIKE


def test_of_lines_that_differ_the_next_window_says_how_many_were_left_out(
    written: io.StringIO, clock: ManualClock
) -> None:
    for number in range(logs.MAX_ALIKE + 7):
        logger.warning("refused %d", number)
    clock.advance(logs.WINDOW_S)
    logger.warning("refused %d", 5000)
    assert written.getvalue().splitlines()[-1] == "WARNING refused 5000 (repeated 7 times)"


def test_frames_repeat_and_every_one_is_written(written: io.StringIO) -> None:
    logger.setLevel(logging.DEBUG)
    for _ in range(300):
        logger.debug("-> 58 AA")
    logger.setLevel(logging.NOTSET)
    assert written.getvalue().splitlines() == ["DEBUG -> 58 AA"] * 300


def lines_of(formatter: logging.Formatter) -> list[str]:
    """A warning and a defect, as a formatter writes them."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    try:
        logger.warning("no page %s", "/x\nmqtt://me:p@ss@host")
        try:
            raise OSError("mqtt://me:p@ss@host refused")
        except OSError:
            logger.exception("a defect")
    finally:
        logger.removeHandler(handler)
    return stream.getvalue().splitlines()


def test_json_is_one_object_a_line_with_stable_keys_and_no_password() -> None:
    lines = lines_of(JsonFormatter())
    warning, defect = map(json.loads, lines)
    assert list(warning) == ["time", "level", "logger", "message"]
    assert list(defect) == [*warning, "exception"]
    assert (warning["level"], warning["logger"]) == ("warning", "tests.logs")
    assert warning["message"] == r"no page /x\x0amqtt://***@host"
    assert "Traceback" in defect["exception"]
    assert "p@ss" not in "".join(lines)


def test_in_the_journal_a_line_has_its_priority_and_no_second_time(tmp_path: Path) -> None:
    assert lines_of(formatter_of("text", in_journal=True))[0] == r"<4>no page /x\x0amqtt://***@host"
    assert lines_of(formatter_of("text", in_journal=False))[0].startswith("20")
    with (tmp_path / "stderr").open("w") as stream:
        found = os.fstat(stream.fileno())
        assert is_journal(stream, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"})
        assert not is_journal(stream, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino + 1}"})
        assert not is_journal(stream, {})


def bare_root(monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """The root logger without the handlers of the test runner, which come back."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    return root


def test_set_up_again_the_log_has_one_handler_and_the_new_format(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = bare_root(monkeypatch)
    set_up_logging(logging.ERROR)
    set_up_logging(logging.INFO, "json", redacts=True)
    logging.getLogger("tests.set_up").info("no answer from %s", "192.168.7.42")
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert said["message"].startswith("no answer from ")
    assert "192.168.7.42" not in line, "a log for others"
    assert root.level == logging.INFO


def test_a_program_that_has_a_log_of_its_own_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    root, own = bare_root(monkeypatch), logging.NullHandler()
    root.addHandler(own)
    set_up_logging()
    assert root.handlers == [own]
