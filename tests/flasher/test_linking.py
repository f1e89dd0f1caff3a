"""Getting the link: by a wire, by a person, by patience; and keeping it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flasher.desk import Desk, known_image, over
from wattrail.errors import LinkFailed, PortError, PortLost, TargetError
from wattrail.flasher import Coaching, Identified, Linked, Lost, RateChanged
from wattrail.twin.bootrom import BootTiming
from wattrail.twin.line_faults import Reply, flipped

CHIPS = pytest.mark.parametrize("chip", ["N", "M", "T"])


@CHIPS
@pytest.mark.parametrize("line", ["rts", "dtr"])
def test_a_wired_line_resets_the_chip_and_nobody_need_be_there(tmp_path: Path, chip: str, line: str) -> None:
    desk = Desk(tmp_path, chip, reset=line)
    with desk.session() as flasher:
        assert flasher.target.chip is not None
        assert flasher.target.chip.value == f"BK7231{chip}"
    assert desk.events_of(Linked)[0].seconds < 2
    assert desk.events_of(Coaching) == []


@CHIPS
def test_without_a_wired_line_a_message_says_when_to_reset(tmp_path: Path, chip: str) -> None:
    desk = Desk(tmp_path, chip, reset=None)
    with desk.session():
        pass
    assert "reset" in desk.events_of(Coaching)[0].words.lower()


def test_power_cycling_alone_is_enough(tmp_path: Path) -> None:
    """CEN is tied to the supply: the plug is all there is to pull."""
    desk = Desk(tmp_path, reset=None, helpful=False)
    desk.twin.power(False)
    desk.clock.at(7.0, desk.twin.power)
    with desk.session() as flasher:
        assert flasher.target.chip is not None
    assert 6 < desk.events_of(Linked)[0].seconds < 8


def test_nobody_resets_it_and_the_first_thing_said_is_to_reset_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, reset=None, helpful=False)
    with pytest.raises(LinkFailed, match="no link after 5 s") as caught, desk.session(patience_s=5):
        pass
    diagnosis = caught.value.diagnosis
    assert diagnosis["symptom"] == "no-answer"
    assert diagnosis["simulated"] is True
    assert diagnosis["causes"][0]["name"] == "not-reset"
    assert "reset" in str(caught.value.hint).lower()


def test_a_line_that_is_turned_over_resets_all_the_same(tmp_path: Path) -> None:
    desk = Desk(tmp_path, port={"adapter": "rts inverted"})
    with desk.session() as flasher:
        assert flasher.target.chip is not None


def test_a_chip_that_another_program_left_at_its_rate_needs_no_reset(tmp_path: Path) -> None:
    desk = Desk(tmp_path, reset=None, helpful=False)
    with desk.flasher() as first:
        desk.twin.reset()
        first.connect()
        rate = first.baud
    assert rate == 921600
    with desk.session(patience_s=1) as flasher:
        assert flasher.target.chip is not None
    assert desk.events_of(Linked)[1].baud == 921600


@pytest.mark.parametrize(("app", "seconds"), [("openbeken", 4), ("libretiny", 2), ("beken", 4)])
def test_firmware_that_resets_itself_when_asked_needs_no_person(tmp_path: Path, app: str, seconds: float) -> None:
    desk = Desk(tmp_path, reset=None, helpful=False, app=app)
    with desk.session(patience_s=6):
        pass
    assert desk.events_of(Linked)[0].seconds < seconds


@CHIPS
def test_the_rate_climbs_as_far_as_it_may(tmp_path: Path, chip: str) -> None:
    for most, reached in ((115200, 115200), (460800, 460800), (1_500_000, 1_500_000), (None, 2_000_000)):
        with Desk(tmp_path, chip).session(max_baud=most) as flasher:
            assert flasher.baud == reached


def test_with_manual_reset_no_rate_is_tried_that_needs_one_to_leave(tmp_path: Path) -> None:
    with Desk(tmp_path, reset=None).session() as flasher:
        assert flasher.baud == 921600


def test_an_adapter_that_cannot_do_a_rate_is_left_at_the_one_below(tmp_path: Path) -> None:
    desk = Desk(tmp_path, port={"adapter": "cp2102"})
    image = known_image()
    with desk.session() as flasher:
        assert flasher.baud == 460800, desk.events
        flasher.write(image)
    assert desk.flash == over(desk.before, image)
    assert any("921600 baud did not work" in event.why for event in desk.events_of(RateChanged))


@CHIPS
def test_a_rate_that_damages_whole_sectors_is_not_taken(tmp_path: Path, chip: str) -> None:
    """Long bursts alone suffer, as where two clocks disagree or an adapter's buffer overflows."""
    desk = Desk(tmp_path, chip)
    arrives = desk.twin.faults.reply

    def reply(data: bytes) -> Reply:
        if len(data) > 1000 and desk.twin.baud > 460800:
            data = flipped(data, 900, 3)
        return arrives(data)

    desk.twin.faults.reply = reply  # type: ignore[method-assign]
    with desk.session() as flasher:
        assert flasher.baud == 460800
        assert flasher.read() == desk.before
    assert [event.why for event in desk.events_of(RateChanged)] == ["921600 baud did not work"]


def test_replies_to_earlier_link_checks_do_not_spoil_the_change_of_rate(tmp_path: Path) -> None:
    desk = Desk(tmp_path, timing=BootTiming(command_s=0.02))  # a slow chip: its answers queue up
    with desk.session(max_baud=921600) as flasher:
        assert flasher.baud == 921600


def test_the_shared_wire_of_a_half_duplex_adapter_is_seen_through(tmp_path: Path) -> None:
    desk = Desk(tmp_path, port={"echo": True})
    image = known_image()
    with desk.session(max_baud=115200) as flasher:
        flasher.write(image)
    assert desk.flash == over(desk.before, image)


def test_a_second_device_on_the_wire_is_named(tmp_path: Path) -> None:
    desk = Desk(tmp_path, reset=None, helpful=False, app="tuyamcu")
    with pytest.raises(LinkFailed) as caught, desk.session(patience_s=20):
        pass
    assert caught.value.diagnosis["symptom"] == "second-talker" or "TuyaMCU" in str(caught.value.diagnosis)


def test_a_cable_that_comes_back_is_used_again(tmp_path: Path) -> None:
    desk, image = Desk(tmp_path), known_image()

    def come_back():
        desk.twin.faults.replug()
        return desk.twin.port(reset_line="rts")

    with desk.session(reopen=come_back) as flasher:
        desk.clock.at(desk.clock.monotonic() + 12, desk.twin.faults.unplug)
        report = flasher.write(image)
    assert desk.flash == over(desk.before, image)
    assert report.repeated > 0


def test_a_cable_that_stays_away_ends_the_session_and_says_so(tmp_path: Path) -> None:
    desk = Desk(tmp_path)

    def still_away():
        raise PortError("still away")

    with desk.session(reopen=still_away) as flasher:
        desk.clock.at(desk.clock.monotonic() + 12, desk.twin.faults.unplug)
        with pytest.raises(PortLost, match="unplugged"):
            flasher.write(known_image())


@CHIPS
def test_a_brown_out_in_the_middle_is_survived_by_itself(tmp_path: Path, chip: str) -> None:
    desk, image = Desk(tmp_path, chip), known_image(chip)
    with desk.session() as flasher:
        for after in (30, 61):
            desk.twin.faults.power_fails_in("page", after)
        report = flasher.write(image)
    assert desk.flash == over(desk.before, image)
    assert report.losses >= 1
    assert desk.events_of(Lost)


def test_an_answer_and_then_the_log_of_a_firmware_is_a_restart(tmp_path: Path) -> None:
    desk, image = Desk(tmp_path, reset=None, app="openbeken"), known_image()
    with desk.session() as flasher:
        desk.twin.faults.power_fails_in("page", 61)
        flasher.write(image)
        diagnosis = flasher.diagnosis
    loss = desk.events_of(Lost)[0].loss
    assert (loss.was_reset, loss.traffic.value) == (True, "text")
    assert "its firmware was heard right after the loss" in " ".join(diagnosis.causes[0].because)
    assert desk.flash == over(desk.before, image)


def test_another_board_that_answers_after_a_loss_is_not_written_to(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    other = bytearray(desk.before)
    other[0x1D0024:0x1D002A] = b"another"[:6]

    def swap() -> None:
        desk.twin.power(False)
        desk.twin.flash.data[:] = other
        desk.twin.power(True)

    with desk.session() as flasher:
        desk.clock.at(desk.clock.monotonic() + 10, swap)  # in the midst of a write of 12 s
        with pytest.raises(TargetError, match="another board answers now than bk7231n-1560eb-"):
            flasher.write(known_image())
    assert desk.flash == bytes(other)


@pytest.mark.parametrize(
    ("chip", "rf", "rate", "seconds"),
    [("N", 0x1D0000, 115200, 80), ("N", 0x1D0000, 921600, 15), ("T", 0x1E0000, 921600, 15)],
)
def test_another_board_on_a_cable_that_came_back_is_not_written_to(
    tmp_path: Path, chip: str, rf: int, rate: int, seconds: int
) -> None:
    """It answers at once, without a reset: an earlier session has left it in download mode, at the same rate."""
    desk = Desk(tmp_path / "one", chip)
    flash = bytearray(desk.before)
    flash[rf + 0x24 : rf + 0x2A] = b"another"[:6]
    other = Desk(tmp_path / "other", chip, image=bytes(flash))
    with other.session(max_baud=rate):
        pass
    with desk.session(max_baud=rate, reopen=lambda: other.twin.port(reset_line="rts")) as flasher:
        desk.clock.at(desk.clock.monotonic() + seconds, desk.twin.faults.unplug)
        with pytest.raises(TargetError, match="another board answers now than bk7231"):
            flasher.write(known_image(chip))
    assert desk.flash != desk.before, "it was in the midst of a write"
    assert other.flash == other.before


def test_asking_before_connecting_is_a_mistake_of_the_program(tmp_path: Path) -> None:
    with Desk(tmp_path).flasher() as flasher, pytest.raises(RuntimeError, match="call connect"):
        flasher.read()


def test_what_was_found_is_reported(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with desk.session():
        pass
    target = desk.events_of(Identified)[0].target
    assert (target.size, target.flash_id, target.sr) == (0x200000, 0x1560EB, 0x4004)
    assert target.part is not None
    assert target.part.name == "TH25Q16HB"


@pytest.mark.parametrize("size", [0x80000, 0x100000, 0x200000, 0x400000])
def test_the_size_of_a_ts_flash_is_measured_by_where_it_repeats(tmp_path: Path, size: int) -> None:
    image = (Desk(tmp_path, "T").before * 2)[:size]
    there = size // 2 + 0x11000  # the halves differ where they are compared
    image = image[:there] + bytes(100) + image[there + 100 :]
    desk = Desk(tmp_path, "T", image=image, flash_bytes=size)
    with desk.session() as flasher:
        assert (flasher.target.size, flasher.target.size_is_measured) == (size, True)


def test_the_chip_starts_its_application_on_command(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with desk.session() as flasher:
        flasher.reboot()
        desk.clock.advance(1)
    assert desk.twin.phase.value == "application"


def test_a_system_error_in_answer_to_a_link_check_is_not_the_end(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.clock.at(0.75, lambda: desk.twin.faults.fail(0xEE))
    with desk.session() as flasher:
        assert flasher.target.chip is not None
        desk.twin.faults.fail(0xEE)
        assert flasher.read(0x11000, 0x1000) == desk.flash[0x11000:0x12000]
