"""Nothing that may be on mains potential is opened before the person says how it is kept off it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Terminal, Type
from wattrail.cli import safety
from wattrail.cli.exits import UsageError
from wattrail.cli.output import located
from wattrail.cli.safety import Answer, confirm, memory_path

ABSENT = "serial:///dev/ttyUSB77?baud=4800"
WIRED = "serial:///dev/null?baud=4800"
"""A device that is there on every system like this one, and carries no meter."""


def sit_at_a_terminal(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)


def test_a_script_is_refused_with_the_warning_and_the_remedy(wattrail: Type) -> None:
    said = wattrail("meter", "read", WIRED)
    assert said.code == 2
    assert said.out == ""
    assert "mains potential" in said.err
    assert "can kill you" in said.err
    assert "digital isolator" in said.err
    assert "hint: say how you are kept off the mains: add --mains-off or --isolated" in said.err


@pytest.mark.parametrize("flag", ["--mains-off", "--isolated"])
def test_a_flag_lets_this_run_through_and_is_not_remembered(wattrail: Type, flag: str) -> None:
    said = wattrail("meter", "read", ABSENT, flag)
    assert said.code == 3  # it went on to open the port, which is not there
    assert "there is no device /dev/ttyUSB77" in said.err
    assert not memory_path().exists()


def test_an_isolator_is_asked_about_once_and_remembered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sit_at_a_terminal(monkeypatch, "isolated\n")
    confirm([WIRED])
    first = capsys.readouterr().err
    assert located(safety.WARNING) in first
    assert f"remembered in {memory_path()}" in first
    confirm([WIRED])
    reminder = capsys.readouterr().err
    assert reminder.startswith("safety: isolated, confirmed on 2")
    assert str(memory_path()) in reminder
    assert "?" not in reminder


@pytest.mark.parametrize(("typed", "opens"), [("y", True), ("yes", True), ("n", False), ("", False), ("maybe", False)])
def test_mains_that_were_off_are_asked_about_each_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str, opens: bool
) -> None:
    # Earlier the question "is it still true?" was printed, nobody waited for its answer, and the port was opened.
    sit_at_a_terminal(monkeypatch, f"mains-off\n{typed}\n")
    confirm([WIRED])
    capsys.readouterr()
    if opens:
        confirm([WIRED])
    else:
        with pytest.raises(UsageError, match="nobody confirmed that the mains are off now"):
            confirm([WIRED])
    asked = capsys.readouterr().err
    assert "safety: mains-off, confirmed on 2" in asked
    assert "Are the mains off the board now, too? [y/N]" in asked


def test_mains_that_were_off_do_not_count_where_nobody_can_be_asked(
    wattrail: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as seated:
        sit_at_a_terminal(seated, "mains-off\n")
        confirm([WIRED])
    said = wattrail("meter", "read", WIRED)
    assert said.code == 2
    assert "hint: say how you are kept off the mains: add --mains-off or --isolated" in said.err


def test_an_answer_that_cannot_be_kept_still_counts_for_this_run(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "config").write_text("in the way")
    sit_at_a_terminal(monkeypatch, "isolated\n")
    confirm([WIRED])
    assert "not remembered: " in capsys.readouterr().err


def test_any_other_answer_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sit_at_a_terminal(monkeypatch, "yes\n")
    with pytest.raises(UsageError, match="no port was opened"):
        confirm([WIRED])
    assert not memory_path().exists()


def test_removing_the_file_makes_it_ask_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sit_at_a_terminal(monkeypatch, "isolated\n")
    confirm([WIRED])
    memory_path().unlink()
    sit_at_a_terminal(monkeypatch, "\n")
    with pytest.raises(UsageError):
        confirm([WIRED])


@pytest.mark.parametrize("written", ["", "confirmed = 'maybe'\n", "not toml", "\xff"])
def test_a_memory_that_says_nothing_clear_does_not_count(written: str) -> None:
    memory_path().parent.mkdir(parents=True)
    memory_path().write_text(written, encoding="latin-1")
    with pytest.raises(UsageError):
        confirm([WIRED])


def test_the_configuration_may_hold_the_answer(wattrail: Type) -> None:
    Path("wattrail.toml").write_text(f'[[meter]]\nname = "a"\nurl = "{WIRED}"\n[safety]\nconfirmed = "isolated"\n')
    said = wattrail("meter", "read", "a")
    assert said.code in {3, 4}  # it went on to open the port
    assert "DANGER" not in said.err


def test_recording_from_a_wire_is_asked_about_too(wattrail: Type) -> None:
    said = wattrail("meter", "record", WIRED, "capture.jsonl")
    assert said.code == 2
    assert "DANGER" in said.err
    assert not Path("capture.jsonl").exists()


def test_an_absent_device_is_reported_before_anything_is_asked(wattrail: Type) -> None:
    said = wattrail("meter", "read", ABSENT)
    assert said.code == 3
    assert "there is no device /dev/ttyUSB77" in said.err
    assert "DANGER" not in said.err


def test_a_mistyped_url_is_reported_before_anything_is_asked(wattrail: Type) -> None:
    said = wattrail("meter", "read", "serial:///dev/ttyUSB0?bawd=4800")
    assert said.code == 2
    assert "DANGER" not in said.err
    assert "serial has no option 'bawd'" in said.err
    assert "hint: did you mean baud?" in said.err


def test_a_network_port_brings_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    confirm(["tcp://192.168.1.20:8888"])
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("url", ["twin://pziot-e01", "replay:capture.jsonl", "serial:///dev/pts/3?simulated=yes"])
def test_what_touches_no_wire_is_not_asked_about(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    confirm([url])
    assert capsys.readouterr().err == ""


def test_the_warning_gives_the_ways_out() -> None:
    for answer in Answer:
        assert answer in safety.WARNING
