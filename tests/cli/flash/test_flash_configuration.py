"""OpenBeken's configuration written with the image: onto boards that have one already, or something else there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome
from tests.cli.flash.conftest import Bench, board
from tests.image.boards import Board, openbeken, put
from wattrail.image import Chip
from wattrail.image.openbeken_configuration import (
    OpenBekenConfiguration,
    configuration_place,
    default_configuration,
    find_configuration,
)

TEMPLATE = {"pins": {"20": "Btn_ScriptOnly;1"}, "command": "startDriver BL0942SPI", "flags": "33555456"}
MAC = bytes.fromhex("c8478c0102fe")

Flash = Callable[..., Outcome]


def configuration(bench: Bench) -> OpenBekenConfiguration:
    found = find_configuration(bench.flash, chip=Chip.N)
    assert found is not None
    return found[1]


@pytest.fixture
def files() -> list[str]:
    """The image, and the options that name the files with settings."""
    Path("new.bin").write_bytes(Board(Chip.N, seed=5, says=openbeken(Chip.N)).qio)
    Path("board.json").write_text(json.dumps(TEMPLATE))
    Path("wifi.toml").write_text('ssid = "Home"\npassword = "hunter22"\n')
    Path("wifi.toml").chmod(0o600)
    return ["new.bin", "--board", "board.json", "--wifi-file", "wifi.toml", "--mqtt", "mqtt://10.0.0.2:1885"]


def with_sector(bench: Bench, sector: bytes) -> bytes:
    """Another board on the bench, with these bytes in the place of its configuration."""
    flash = bytearray(board("N").dump)
    put(flash, configuration_place(Chip.N).start, sector.ljust(4096, b"\xff"))
    bench.build("N", image=bytes(flash))
    return bytes(flash)


def test_a_board_gets_its_configuration_with_the_image(flash: Flash, bench: Bench, files: list[str]) -> None:
    with_sector(bench, b"")
    said = flash("write", *files)
    assert said.code == 0, said.err
    made = configuration(bench)
    assert (made.text("wifi_ssid"), made.text("wifi_password")) == ("Home", "hunter22")
    assert (made.text("mqtt_host"), made.number("mqtt_port")) == ("10.0.0.2", 1885)
    assert made.text("startup_command") == "startDriver BL0942SPI"
    assert made.flags == {10, 25}
    assert made.text("name") == "OpenBK7231N_8C0102FE", "by the MAC address of its RF block"
    assert "hunter22" not in said.out + said.err
    assert bench.flash.startswith(Path("new.bin").read_bytes()[:0x11000])


def test_a_board_by_its_name_brings_pins_and_constants(flash: Flash, bench: Bench, files: list[str]) -> None:
    old = with_sector(
        bench, default_configuration(Chip.N, MAC).with_calibration({0: 15000.0, 1: 2.5e5, 2: -600.0}).sector()
    )
    Path("stock.bin").write_bytes(old)
    said = flash("write", "new.bin", "--board", "pziot-e01", "--calibration", "stock.bin")
    assert said.code == 0, said.err
    made = configuration(bench)
    assert made.pins[20].role_name == "Btn_ScriptOnly"
    assert made.text("startup_command") == "startDriver BL0942SPI"
    assert made.calibration[:3] == (15000.0, 250000.0, -600.0)
    assert "'wattrail device setup HOST --board pziot-e01' writes them once it runs" in said.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--board", "pziot-e1"], "did you mean pziot-e01"),
        (["--board", "board.json", "--calibration", "house"], "--calibration needs a board by its name"),
        (["--calibration", "house"], "--calibration needs a board"),
        (["--board", "nowhere.json"], "nowhere.json"),
    ],
)
def test_a_board_that_is_unclear_is_refused(flash: Flash, files: list[str], options: list[str], message: str) -> None:
    said = flash("write", files[0], *options)
    assert said.code == 2
    assert message in said.err


def test_a_configuration_that_is_there_is_changed_not_lost(flash: Flash, bench: Bench, files: list[str]) -> None:
    old = default_configuration(Chip.N, MAC).with_text("name", "Keller").with_calibration({0: 15333.0})
    before = with_sector(bench, old.sector())
    said = flash("write", *files, "--backup", "before.bin")
    assert said.code == 0, said.err
    assert "the board has a configuration already (Keller): it is changed, not replaced" in said.err
    made = configuration(bench)
    assert (made.text("name"), made.text("wifi_ssid")) == ("Keller", "Home")
    assert made.calibration[0] == 15333.0
    assert Path("before.bin").read_bytes() == before


def test_what_is_not_a_configuration_is_said_to_be_replaced(flash: Flash, bench: Bench, files: list[str]) -> None:
    sector = bytearray(default_configuration(Chip.N, MAC).sector())
    sector[0x20] ^= 1
    with_sector(bench, bytes(sector))
    said = flash("write", *files)
    assert said.code == 0, said.err
    assert "is replaced, and kept in the backup: " in said.err
    assert configuration(bench).text("wifi_ssid") == "Home"


def test_a_dry_run_shows_the_configuration_and_writes_nothing(flash: Flash, bench: Bench, files: list[str]) -> None:
    before = with_sector(bench, b"")
    said = flash("write", *files, "--dry-run")
    assert said.code == 0, said.err
    assert "configuration: wifi_ssid: '' -> 'Home'" in said.err
    assert "configuration: wifi_password: none -> ***" in said.err
    assert bench.flash == before


def test_a_cut_write_resumes_from_the_configuration_before_it(flash: Flash, bench: Bench, files: list[str]) -> None:
    old = default_configuration(Chip.N, MAC).with_text("name", "Keller")
    with_sector(bench, old.sector())
    bench.ctrl_c("writing", 0.99)
    assert flash("write", *files).code == 130
    place = configuration_place(Chip.N)
    bench.twin.flash.data[place.start + 0x300 : place.end] = b"\xff" * (place.length - 0x300)  # torn by the cut
    said = flash("write", *files)
    assert said.code == 0, said.err
    assert (configuration(bench).text("name"), configuration(bench).text("wifi_ssid")) == ("Keller", "Home")


def test_an_image_that_brings_a_configuration_keeps_the_rest_of_it(
    flash: Flash, bench: Bench, files: list[str]
) -> None:
    with_sector(bench, b"")
    brought = default_configuration(Chip.N, MAC).with_text("mqtt_group", "cellar")
    image = bytearray(Path("new.bin").read_bytes().ljust(0x1D2000, b"\xff"))
    put(image, configuration_place(Chip.N).start, brought.sector())
    Path("new.bin").write_bytes(image)
    said = flash("write", *files)
    assert said.code == 0, said.err
    assert "the configuration that the image brings is changed" in said.err
    assert (configuration(bench).text("mqtt_group"), configuration(bench).text("wifi_ssid")) == ("cellar", "Home")
