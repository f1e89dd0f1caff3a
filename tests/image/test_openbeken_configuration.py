"""OpenBeken's configuration: the sectors of real images, the layout a compiler made of its header, and edits."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.image.boards import Board
from wattrail.bk7231 import Chip
from wattrail.errors import ChecksumError, ConfigError, ImageError
from wattrail.image.layout import SECTOR
from wattrail.image.openbeken_configuration import (
    OpenBekenConfiguration,
    PinSetting,
    configuration_place,
    decode_configuration,
    default_configuration,
    find_configuration,
)
from wattrail.openbeken import CONFIGURATION_BYTES, FIELDS, ROLES, field_offset

CAPTURES = Path(__file__).parent.parent / "captures"
MAC = bytes.fromhex("c8478c0102fe")


def real_sectors() -> list[tuple[str, int, bytes]]:
    """Name of the image, where in flash the sector lies, and its bytes."""
    found = []
    for row in json.loads((CAPTURES / "openbeken-configurations.json").read_text())["sectors"]:
        sector = bytearray(CONFIGURATION_BYTES).ljust(SECTOR, b"\xff")
        for offset, run in row["runs"]:
            sector[offset : offset + len(run) // 2] = bytes.fromhex(run)
        found.append((row["image"], row["at"], bytes(sector)))
    return found


@pytest.mark.parametrize(("image", "at", "sector"), real_sectors(), ids=lambda value: str(value)[-40:])
def test_a_real_sector_is_decoded_and_made_again(image: str, at: int, sector: bytes) -> None:
    chip = Chip.N if "BK7231N" in image else Chip.T
    found = decode_configuration(sector, chip)
    assert configuration_place(chip).start == at
    assert found.version == 5
    assert found.text("startup_command")
    assert found.sector() == sector
    again = found.with_text("startup_command", "").with_text("startup_command", found.text("startup_command"))
    assert again.sector() == sector, "an edit and its reverse give the very bytes, checksum included"


def test_what_real_images_are_named_for_stands_in_them() -> None:
    found = {image: decode_configuration(sector) for image, _, sector in real_sectors()}
    bl0942 = next(c for name, c in found.items() if "BL0942" in name)
    assert bl0942.text("startup_command") == "startDriver BL0942"
    console = next(c for name, c in found.items() if "uartConsole" in name)
    assert console.flags == {31}, "the console on the UART"


def layout_rows() -> list[list[str]]:
    lines = (CAPTURES / "openbeken-configuration-layout.csv").read_text().splitlines()
    return list(csv.reader(line for line in lines if not line.startswith("#")))


def test_the_layout_is_what_a_compiler_makes_of_the_header() -> None:
    rows = layout_rows()
    assert {row[0] for row in rows} == FIELDS.keys()
    for name, usual, wide, length, _ in rows:
        assert (field_offset(name, Chip.N), field_offset(name, Chip.BK7252)) == (int(usual), int(wide)), name
        assert FIELDS[name].length == int(length), name


def whole() -> OpenBekenConfiguration:
    return default_configuration(Chip.N, MAC)


def test_an_edit_touches_its_own_bytes_and_the_checksum() -> None:
    before = whole()
    noise = bytearray(before.data)
    noise[0x4C4:0x527] = bytes(range(0x63))  # a place of which nothing is known
    noise[3] = decode_checksum(noise)
    before = decode_configuration(bytes(noise))
    after = before.with_text("wifi_ssid", "Keller")
    changed = [n for n in range(CONFIGURATION_BYTES) if before.data[n] != after.data[n]]
    assert changed[0] in (3, 0x14)
    assert set(changed) <= {3, *range(0x14, 0x54)}


def decode_checksum(data: bytes | bytearray) -> int:
    """The checksum that the codec demands of these bytes, by its own complaint."""
    for guess in range(256):
        try:
            decode_configuration(bytes(data[:3]) + bytes([guess]) + bytes(data[4:]))
        except ChecksumError:
            continue
        return guess
    raise AssertionError("no checksum fits")


def test_everything_a_meter_needs_is_stored_and_read_back() -> None:
    made = (
        whole()
        .with_text("wifi_ssid", "Zähler")
        .with_text("wifi_password", "p" * 64)
        .with_text("mqtt_host", "10.0.0.2")
        .with_number("mqtt_port", 8883)
        .with_text("startup_command", "startDriver BL0942SPI")
        .with_flags({10, 25, 40})
        .with_pins({20: PinSetting(ROLES.index("Btn"), 1, 2), 22: PinSetting(ROLES.index("WifiLED_n"))})
        .with_calibration({0: 15188.5, 2: 598.25})
    )
    read = decode_configuration(made.sector())
    assert (read.text("wifi_ssid"), read.text("wifi_password")) == ("Zähler", "p" * 64)
    assert (read.text("mqtt_host"), read.number("mqtt_port")) == ("10.0.0.2", 8883)
    assert read.flags == {10, 25, 40}
    assert read.pins == {20: PinSetting(3, 1, 2), 22: PinSetting(9)}
    assert read.pins[22].role_name == "WifiLED_n"
    assert read.calibration[:4] == (15188.5, None, 598.25, None)


def test_json_has_every_field_and_no_password() -> None:
    made = whole().with_text("wifi_password", "correct horse").with_text("web_password", "battery")
    shown = made.as_json()
    assert "correct horse" not in json.dumps(shown)
    assert shown["wifi_password"] == shown["web_password"] == "***"
    assert shown["wifi_password2"] == "", "one that is not set is seen to be empty"
    assert made.as_json(shows_secrets=True)["wifi_password"] == "correct horse"
    assert shown["mac"] == "C8:47:8C:01:02:FE"


def test_a_text_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"short_name: 'm+' has 40 bytes, OpenBeken takes at most 31"):
        whole().with_text("short_name", "m" * 40)
    with pytest.raises(ConfigError) as caught:
        whole().with_text("wifi_password", "secret" * 20)
    assert "secret" not in str(caught.value)
    with pytest.raises(ConfigError, match="a NUL"):
        whole().with_text("name", "a\0b")


def test_numbers_pins_and_flags_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="button_short: 300, expected 0 to 255"):
        whole().with_number("button_short", 300)
    with pytest.raises(ConfigError, match="pin 29"):
        whole().with_pins({29: PinSetting(1)})
    with pytest.raises(ConfigError, match="flag 64"):
        whole().with_flags({64})
    with pytest.raises(ConfigError, match="calibration slot 8"):
        whole().with_calibration({8: 1.0})
    with pytest.raises(ConfigError, match="wifi_ssid: 3 bytes"):
        whole().with_raw("wifi_ssid", b"abc")
    with pytest.raises(KeyError, match="another kind of field"):
        whole().text("mqtt_port")
    with pytest.raises(KeyError, match="upgraded"):
        whole().with_number("version", 4)


def test_one_wrong_bit_is_seen() -> None:
    sector = bytearray(whole().sector())
    sector[0x20] ^= 4
    with pytest.raises(ChecksumError, match=r"checksum [0-9A-F]{2}, its 3584 bytes give"):
        decode_configuration(bytes(sector))


def test_what_is_not_a_configuration_is_reported() -> None:
    with pytest.raises(ImageError, match="ff ff ff in place of 43 46 47"):
        decode_configuration(b"\xff" * SECTOR)
    with pytest.raises(ImageError, match="cut off after 5"):
        decode_configuration(b"CFG\0\5")
    with pytest.raises(ImageError, match="version 9, known are 2 to 5"):
        decode_configuration(b"CFG\0\x09\0\0\0" + bytes(4000))
    with pytest.raises(ImageError, match="3000 of the 3584 bytes of version 5"):
        decode_configuration(whole().data[:3000])


def older(version: int, length: int) -> bytes:
    """A structure of an older version with a name, a network and a command, its checksum found by the complaint."""
    data = bytearray(length)
    data[:8] = b"CFG\0" + version.to_bytes(4, "little")
    data[0x14:0x18] = b"Home"
    data[0x2DE:0x2E8] = b"obk0102FE\0"
    data[0x5E0:0x5F2] = b"startDriver BL0942"
    data[3] = decode_checksum(data)
    return bytes(data)


@pytest.mark.parametrize(("version", "length"), [(2, 2016), (3, 2016), (4, 3584)])
def test_an_older_structure_is_read_and_brought_up_to_date(version: int, length: int) -> None:
    old = decode_configuration(older(version, length) + b"\xff" * 2080)
    assert (old.version, len(old.data)) == (version, length)
    assert old.text("web_password") == ""
    assert old.text("startup_command") == "startDriver BL0942"
    new = decode_configuration(old.upgraded().sector())
    assert (new.version, new.text("wifi_ssid"), new.text("startup_command")) == (5, "Home", "startDriver BL0942")
    assert new.text("mqtt_client") == ("obk0102FE" if version == 2 else "")
    with pytest.raises(ConfigError, match="version"):
        old.with_raw("web_password", bytes(33))


def test_the_startup_command_of_an_old_structure_has_less_room() -> None:
    old = decode_configuration(older(3, 2016))
    assert old.with_text("startup_command", "x" * 511).text("startup_command") == "x" * 511
    with pytest.raises(ConfigError, match="at most 511"):
        old.with_text("startup_command", "x" * 512)


@pytest.mark.parametrize("chip", [Chip.N, Chip.T, Chip.M])
def test_it_is_found_where_its_chip_keeps_it(chip: Chip) -> None:
    board = Board(chip)
    flash = bytearray(board.dump)
    place = configuration_place(chip)
    assert place.start == (0x1E1000 if chip is Chip.T else 0x1D1000)
    flash[place.start : place.end] = default_configuration(chip, MAC).sector()
    for asked in (chip, None):
        found = find_configuration(bytes(flash), chip=asked)
        assert found is not None
        assert found[0] == place.start
        assert found[1].text("name") == f"Open{'BK7231N' if chip is Chip.M else chip.value}_8C0102FE"
    assert find_configuration(bytes(flash[0x11000:]), 0x11000, chip) is not None
    assert find_configuration(board.qio, chip=chip) is None


def test_wider_pin_tables_of_bk7252_are_at_their_places() -> None:
    made = default_configuration(Chip.BK7252, MAC).with_pins({3: PinSetting(1, 2)})
    assert made.data[0x33E + 3] == 1
    assert made.data[0x36E + 3] == 2
    assert made.text("ntp_server") == made.data[0x4A8:0x4B6].decode()
    assert made.text("mqtt_group") == "bekens_52s"
