"""A week at the bench, as people have lived it with other flashers: one board, many ways not to flash it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tests.flasher.desk import Desk, board, known_image, over
from wattrail.errors import LinkFailed
from wattrail.flasher import Coaching, Linked, RateChanged
from wattrail.image import recognise


def gives_up(desk: Desk, **options: Any) -> dict[str, Any]:
    """A session that comes to nothing, and what it says about that."""
    with pytest.raises(LinkFailed) as caught, desk.session(**options) as flasher:
        flasher.write(known_image())
    assert caught.value.hint
    return dict(caught.value.diagnosis)


def names(diagnosis: dict[str, Any]) -> list[str]:
    return [cause["name"] for cause in diagnosis["causes"]]


# ---- five set-ups, and a sixth


def test_monday_5_v_into_the_regulator_of_the_board_never_links(tmp_path: Path) -> None:
    desk = Desk(tmp_path, supply="board regulator")
    diagnosis = gives_up(desk, patience_s=45)
    assert diagnosis["symptom"] == "no-answer"
    assert "sagging-supply" in names(diagnosis)[:3]
    assert {at for _, at in desk.twin.resets if at != "transmitting"} == {"starting"}
    assert desk.flash == desk.before


def test_tuesday_an_external_regulator_on_usb_fails_at_rate_and_erase(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path, supply="usb + ldo")
    diagnosis = gives_up(desk)
    assert diagnosis["symptom"] == "reset-on-erase"
    assert names(diagnosis)[0] == "sagging-supply"
    assert {"changing rate", "erasing"} <= {at for _, at in desk.twin.resets}
    said = " ".join(cause["mend"] for cause in diagnosis["causes"][:1])
    assert "470 to 1000 uF" in said


def test_on_tuesday_a_read_is_enough_to_see_it_and_nothing_is_erased(tmp_path: Path) -> None:
    desk = Desk(tmp_path, supply="usb + ldo")
    with desk.session() as flasher:
        flasher.read(0x11000, 0x10000)
        diagnosis = flasher.diagnosis
    assert diagnosis.symptom == "reset-on-rate-change"
    assert diagnosis.causes[0].name == "sagging-supply"
    assert desk.flash == desk.before


def test_wednesday_an_ftdi_regulator_of_150_ma_fails_at_the_erase(tmp_path: Path) -> None:
    diagnosis = gives_up(Desk(tmp_path, supply="ftdi ldo", port={"adapter": "ft232"}))
    assert diagnosis["symptom"] == "reset-on-erase"
    assert names(diagnosis)[:2] == ["sagging-supply", "adapter-supply"]


def test_thursday_the_recommended_adapter_fails_during_the_writes(tmp_path: Path) -> None:
    # It gives way with every seed; whether a person who resets it gets through is luck. Of seeds 0 to 5, two do not.
    desk = Desk(tmp_path, supply="ch340 + ldo", reset=None, port={"adapter": "ch340"}, seed=4)
    diagnosis = gives_up(desk)
    assert diagnosis["symptom"] == "reset-on-write"
    assert names(diagnosis)[0] == "sagging-supply"
    radio = {"transmitting", "calibrating"}  # the application's, in between: such a supply lets it reset over and over
    assert {at for _, at in desk.twin.resets} - radio == {"programming"}


def test_on_thursday_with_rts_wired_to_cen_patience_still_gets_there(tmp_path: Path) -> None:
    desk, image = Desk(tmp_path, supply="ch340 + ldo", port={"adapter": "ch340"}), known_image()
    report = desk.write(image)
    assert report.losses > 0
    assert desk.flash == over(desk.before, image)


def test_friday_a_laboratory_supply_and_it_works(tmp_path: Path) -> None:
    desk, image = Desk(tmp_path, supply="bench supply", reset=None, port={"adapter": "ch340"}), known_image()
    report = desk.write(image)
    assert (report.losses, report.repeated) == (0, 0)
    assert desk.flash == over(desk.before, image)
    assert desk.twin.resets == ()


def test_later_the_same_regulator_with_a_bigger_capacitor_works_too(tmp_path: Path) -> None:
    desk, image = Desk(tmp_path, supply="usb + ldo + capacitor", reset=None), known_image()
    report = desk.write(image)
    assert (report.losses, report.repeated) == (0, 0)
    assert desk.flash == over(desk.before, image)


# ---- wires


def test_cen_is_tied_to_the_supply_and_pulling_the_plug_does(tmp_path: Path) -> None:
    desk, image = Desk(tmp_path, reset=None, helpful=False), known_image()
    desk.clock.at(6.0, lambda: (desk.twin.power(False), desk.clock.at(8.0, desk.twin.power)))
    with desk.session(patience_s=30) as flasher:
        flasher.write(image)
    assert 7 < desk.events_of(Linked)[0].seconds < 9
    assert desk.flash == over(desk.before, image)


def test_tx_and_rx_are_swapped_and_that_is_the_second_thing_to_try(tmp_path: Path) -> None:
    desk = Desk(tmp_path, reset=None, port={"wiring": "swapped"})
    diagnosis = gives_up(desk)
    assert diagnosis["symptom"] == "no-answer"
    assert names(diagnosis)[:2] == ["not-reset", "swapped"]
    assert any("Swap TX and RX" in event.words for event in desk.events_of(Coaching))


def test_the_wires_are_on_the_log_uart_and_its_banner_gives_it_away(tmp_path: Path) -> None:
    desk = Desk(tmp_path, reset=None, port={"wiring": "uart2"})
    diagnosis = gives_up(desk)
    assert names(diagnosis)[0] == "second-uart"
    assert "TX1 (P11)" in diagnosis["causes"][0]["mend"]


def test_a_tuya_mcu_shares_the_uart_and_is_heard(tmp_path: Path) -> None:
    desk = Desk(tmp_path, reset=None, helpful=False, app="tuyamcu")
    diagnosis = gives_up(desk, patience_s=20)
    assert diagnosis["symptom"] == "second-talker"
    assert {"not-reset", "second-device"} <= set(names(diagnosis)[:3])


def test_a_rate_the_adapter_refuses_is_replaced_by_a_lower_one_unasked(
    tmp_path: Path,
) -> None:
    desk, image = Desk(tmp_path, port={"adapter": "cp2102"}), known_image()
    report = desk.write(image)
    assert report.baud == 460800
    assert any("921600 baud did not work" in event.why for event in desk.events_of(RateChanged))
    assert desk.flash == over(desk.before, image)


# ---- what was flashed


@pytest.mark.parametrize("chip", ["N", "T"])
def test_a_bricked_update_is_recovered_over_the_wire(tmp_path: Path, chip: str) -> None:
    """An update over the air died half-way through the app: the chip starts, and there is nothing to start."""
    flash = bytearray(board(chip).dump)
    flash[0x40000:0x60000] = random.Random(5).randbytes(0x20000)
    desk = Desk(tmp_path, chip, image=bytes(flash))
    with desk.session() as flasher:
        seen = flasher.read_image()
        assert any("block" in str(problem) for problem in seen.problems)
        report = flasher.write(known_image(chip), name="OpenBeken.bin")
        assert flasher.read_image().problems == ()
    assert report.backup is not None
    assert report.backup.read_bytes() == bytes(flash), "even a bricked flash is backed up: its calibration is in there"
    assert desk.flash == over(bytes(flash), known_image(chip))


@pytest.mark.parametrize("chip", ["N", "M", "T"])
def test_stock_firmware_is_backed_up_replaced_and_put_back_bit_for_bit(tmp_path: Path, chip: str) -> None:
    desk = Desk(tmp_path, chip)
    sr = desk.twin.flash.sr
    first = desk.write(known_image(chip), name="OpenBeken.bin")
    assert desk.flash != desk.before
    assert first.backup is not None
    with desk.session() as flasher:
        flasher.restore(recognise(first.backup.read_bytes()), name=first.backup.name)
    assert desk.flash == desk.before
    assert desk.twin.flash.sr == sr
