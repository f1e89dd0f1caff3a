"""Getting through to a board: what is said while it does not answer, and when it does not answer at all."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Terminal, Type
from tests.cli.flash.conftest import PORT, Bench
from wattrail.cli.exits import exit_for
from wattrail.cli.flash.session import url_of
from wattrail.cli.main import main
from wattrail.cli.output import located
from wattrail.cli.progress import WorkProgress
from wattrail.errors import LinkFailed, VerifyError, WattrailError, WriteRefused

# ---- the port as it is typed


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("/dev/ttyUSB0", "serial:///dev/ttyUSB0"),
        ("COM5", "serial:///COM5"),
        ("com12", "serial:///com12"),
        ("/dev/pts/3?simulated=yes", "serial:///dev/pts/3?simulated=yes"),
        ("/dev/serial/by-path/pci-0000:00:14.0-usb-0:3", "serial:///dev/serial/by-path/pci-0000:00:14.0-usb-0:3"),
        ("serial:///dev/ttyUSB0?simulated=yes", "serial:///dev/ttyUSB0?simulated=yes"),
        ("rfc2217://host:2217", "rfc2217://host:2217"),
    ],
)
def test_a_device_needs_no_scheme(typed: str, url: str) -> None:
    assert url_of(typed) == url


@pytest.mark.parametrize(
    ("typed", "error", "hint"),
    [
        ("twin://pziot-e01", "'twin://pziot-e01' is a meter, whose module has its port elsewhere", "twin serve"),
        ("spi:///dev/spidev0.0", "'spi:///dev/spidev0.0' is an SPI bus", "a chip is flashed over its UART1"),
        ("serial:///dev/ttyUSB0?bawd=1", "serial has no option 'bawd'", "did you mean baud?"),
        ("ttyUSB0", "'ttyUSB0'", "hint: "),
    ],
)
def test_a_port_without_a_chip_is_refused_before_anything_is_asked(
    wattrail: Type, bench: Bench, typed: str, error: str, hint: str
) -> None:
    said = wattrail("flash", "info", typed)
    assert said.code == 2
    assert error in said.err
    assert hint in said.err
    assert "DANGER" not in said.err
    assert bench.opened == []


def test_a_wire_is_confirmed_before_it_is_opened(wattrail: Type, bench: Bench) -> None:
    said = wattrail("flash", "info", "/dev/null")
    assert said.code == 2
    assert "DANGER" in said.err
    assert bench.opened == []
    assert wattrail("flash", "info", "/dev/null", "--mains-off", "--reset", "rts").code == 0


@pytest.mark.parametrize(("typed", "named"), [("com3", "com3"), ("/dev/ttyUSB77", "/dev/ttyUSB77")])
def test_a_missing_port_is_reported_before_any_danger(wattrail: Type, typed: str, named: str) -> None:
    said = wattrail("flash", "info", typed)
    assert said.code == 3
    assert f"there is no device {named}" in said.err
    assert "DANGER" not in said.err


def test_a_missing_port_is_reported_with_wiring_confirmed_too(wattrail: Type) -> None:
    said = wattrail("flash", "info", "/dev/ttyUSB77", "--mains-off")
    assert said.code == 3
    assert "there is no device /dev/ttyUSB77" in said.err


def test_what_was_typed_reaches_the_flasher(flash: Type, bench: Bench) -> None:
    assert flash("info", "--reset", "rts", "--baud", "460800", "--patience", "7").code == 0
    url, options = bench.opened[0]
    assert url == "serial:///dev/pts/3?simulated=yes"
    assert (options["reset"], options["max_baud"], options["patience_s"]) == ("rts", 460800, 7.0)


def test_what_is_kept_of_a_twin_is_kept_apart(
    wattrail: Type, flash: Type, bench: Bench, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flash("info")
    wattrail("flash", "info", "/dev/ttyUSB77", "--mains-off", "--reset", "rts")
    monkeypatch.setenv("WATTRAIL_BOARDS", "elsewhere")
    flash("info")
    flash("info", "--boards", "here")
    boards = home / "data" / "wattrail" / "boards"
    assert [options["folder"] for _, options in bench.opened] == [
        boards / "simulated", boards, Path("elsewhere/simulated"), Path("here/simulated"),
    ]  # fmt: skip


# ---- no answer


def test_a_silent_board_is_reported_with_causes_in_order_and_remedies(flash: Type, bench: Bench) -> None:
    bench.reset_line = None
    said = flash("info", "--patience", "25")
    assert (said.code, said.out) == (4, "")
    lines = said.err.splitlines()
    error = lines.index("error: no link after 25 s: The chip does not answer, and nothing else is heard.")
    numbers = [line[0] for line in lines[error:] if re.match(r"\d\. ", line)]
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    assert len(numbers) >= 3
    assert "1. The chip was not reset while it was being asked" in lines[error + 2]
    assert any(line.startswith("   -> Swap the two data wires") for line in lines)
    assert lines[-2:] == [located("more: docs/troubleshooting.md#no-answer"), "Nothing in flash was changed."]


@pytest.mark.parametrize("verb", ["info", "doctor"])
def test_a_program_gets_the_diagnosis_too(flash: Type, bench: Bench, verb: str) -> None:
    bench.reset_line = None
    said = flash(verb, "--patience", "3", "--json")
    shown = json.loads(said.out)
    assert said.code == 4
    assert shown["error"].startswith("no link after 3 s: ")
    assert (shown["diagnosis"]["symptom"], shown["diagnosis"]["simulated"]) == ("no-answer", True)
    assert shown["diagnosis"]["causes"][0]["name"] == "not-reset"


def test_advice_is_a_line_only_when_it_changes(flash: Type, bench: Bench) -> None:
    bench.reset_line = None
    lines = [line for line in flash("info", "--patience", "25").err.splitlines() if line.startswith("No answer")]
    assert lines[0].startswith("No answer yet. Reset the module now: ")
    assert 2 <= len(lines) == len(set(lines)) <= 4


def test_a_person_who_resets_when_asked_gets_through(flash: Type, bench: Bench) -> None:
    bench.only_a_person_resets()
    said = flash("info")
    assert said.code == 0
    assert said.err.startswith("No answer yet. Reset the module now: ")
    assert "rate        921600 baud" in said.out


def test_ctrl_c_while_the_link_is_sought(flash: Type, bench: Bench) -> None:
    def give_up() -> None:
        raise KeyboardInterrupt

    bench.reset_line = None
    bench._when = (lambda event: True, give_up)
    allowed = ("--allow", "unknown-image", "--allow", "damaged-image")
    said = flash("write", str(_some_image()), "--start", "0x1d2000", *allowed)
    assert (said.code, said.err.splitlines()[-1]) == (130, "stopped. Nothing in flash was changed.")


def _some_image() -> Path:
    path = Path("some.bin")
    path.write_bytes(b"\xff" * 4096)
    return path


def test_a_cable_that_stays_away_is_an_error_of_the_port(flash: Type, bench: Bench) -> None:
    bench.when("reading", 0.3, bench.twin.faults.unplug)
    said = flash("read", "dump.bin", "--patience", "2")
    assert said.code == 3
    assert "waiting for it to come back" in said.err
    assert "What was read is kept in dump.bin.part" in said.err


# ---- on a terminal


def test_on_a_terminal_one_line_is_redrawn(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "stderr", screen)
    bench.only_a_person_resets()
    assert main(["flash", "read", PORT, "dump.bin"]) == 0
    shown = screen.getvalue()
    assert "No answer yet. Reset the module now: " in shown
    assert "━" in shown
    assert re.search(r"reading    50 %   1024 of 2048 KiB  \d+ kB/s  \d+ s left", shown)
    assert shown.count("\x1b[2K") > 32  # wiped and drawn again, once a block
    assert "the flash as it is now is kept in dump.bin\n" in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)


def test_results_are_not_drawn_over_on_a_terminal(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", screen)
    assert main(["flash", "recover", PORT, "--reset", "rts"]) == 0
    assert capsys.readouterr().out.endswith("\nnothing is wrong in flash, as far as can be seen\n")
    drawn, _, after = screen.getvalue().rpartition("\x1b[2K")
    assert "reading   100 %" in drawn
    assert "nothing keeps this board from starting" in after


def test_a_terminal_that_cannot_redraw_gets_lines(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys, "stderr", screen)
    assert main(["flash", "read", PORT, "dump.bin", "--reset", "rts"]) == 0
    assert "\x1b[2K" not in screen.getvalue()
    assert "\nreading    50 %" in screen.getvalue()


@pytest.mark.parametrize(
    ("done", "seconds", "words"),
    [
        (0, 0.0, "writing     0 %      0 of 2048 KiB"),
        (1 << 20, 10.0, "writing    50 %   1024 of 2048 KiB  105 kB/s  10 s left"),
        (1 << 16, 10.0, "writing     3 %     64 of 2048 KiB  7 kB/s  5 min left"),
        (1 << 21, 10.0, "writing   100 %   2048 of 2048 KiB  210 kB/s"),
    ],
)
def test_progress_shows_its_rate_and_the_time_left(done: int, seconds: float, words: str) -> None:
    assert WorkProgress("writing", done, 1 << 21, seconds).text() == words


# ---- the doctor


def test_a_good_line_is_reported_as_good(flash: Type, bench: Bench) -> None:
    said = flash("doctor")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0].startswith("SIMULATED")
    assert lines[1] == "board       BK7231N, TH25Q16HB of 2048 KiB"
    assert "repeated    none" in lines
    assert "links lost  0" in lines
    assert "The chip answers and nothing is wrong." in lines
    assert any(
        re.match(r"line        64 sectors read and checked in \d\.\d s, at 2000000 baud", line) for line in lines
    )
    assert bench.flash == bench.before


def test_a_noisy_line_is_counted_and_named(flash: Type, bench: Bench) -> None:
    bench.twin.faults.noise(1e-5)
    said = flash("doctor", "--json")
    assert said.code == 4, "a script sees it too: until now it was 0 with a finding"
    shown = json.loads(said.out)
    assert sum(shown["history"]["repeated"].values()) > 0
    assert shown["diagnosis"]["symptom"] in {"bytes-lost", "rate-refused"}
    assert shown["history"]["sectors"] == 64


def test_a_supply_that_sags_under_an_erase_is_named_first(flash: Type, bench: Bench) -> None:
    bench.build("N", supply="ftdi ldo")
    said = flash("erase", "--part", "app", "--patience", "10")
    assert said.code == 4
    assert "restarts when it erases flash, which takes more current than anything before" in said.err
    assert "\n1. The 3.3 V sags" in said.err
    assert located("\nmore: docs/troubleshooting.md#reset-on-erase\n") in said.err
    assert said.err.count("link lost: ") == 3


# ---- exit codes


@pytest.mark.parametrize(
    ("error", "code"), [(LinkFailed("x"), 4), (WriteRefused("x", risk="rf"), 5), (VerifyError("x"), 6)]
)
def test_every_error_of_a_flasher_has_its_exit_code(error: WattrailError, code: int) -> None:
    assert exit_for(error) == code


def test_the_old_word_for_a_reset_by_hand_is_still_understood(flash, bench) -> None:
    bench.only_a_person_resets()
    assert flash("info", "--reset", "person").code == 0
    assert bench.opened[0][1]["reset"] == "manual"
