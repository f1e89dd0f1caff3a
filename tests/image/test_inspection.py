"""A whole dump, inspected: the map, programs, settings, pins, constants, files, and no secret unless asked for."""

from __future__ import annotations

import json
import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.cli.conftest import Type
from tests.image.boards import MAC, Board
from tests.image.stock_storage import SECTOR, in_flash, key_sector, licence_sector, spelt, storage
from tests.image.test_factory_constants import PUBLISHED as FACTORY_WORDS
from tests.image.test_stored_files import SCRIPT, START, file_system
from wattrail.image import Chip
from wattrail.image.flash_picture import picture_lines, picture_svg
from wattrail.image.inspection import inspect_flash
from wattrail.image.inspection_record import SCHEMA, as_record
from wattrail.image.openbeken_configuration import default_configuration
from wattrail.image.secret_keys import SECRET_NAMES, hide

SECRETS = {
    "ssid": "the-network", "passwd": "hunter-2-network", "token": "EU-token-1", "auth_key": "AUTHKEYAUTHKEY",
    "uuid": "uuid-of-module", "local_key": "0123456789abcdef", "lat": "52.516275", "mq_psk": "mqtt-password-1",
    "bt_mac": "10:D5:61:01:02:03",
}  # fmt: skip
BREAKER = {
    "rl_on1_pin": 24,
    "rl_on1_lv": 1,
    "rl_off1_pin": 26,
    "rl_off1_lv": 1,
    "bt1_pin": 17,
    "bt1_lv": 0,
    "netled1_pin": 15,
    "netled1_lv": 0,
    "chip_type": 3,
    "ele_fun_en": 1,
    "module": "CBU",
    "jv": "1.1.3",
    "crc": 7,
}
VALUES = {
    "gw_bi": json.dumps({"uuid": SECRETS["uuid"], "auth_key": SECRETS["auth_key"], "prod_test": False}).encode(),
    "gw_wsm": json.dumps({name: SECRETS[name] for name in ("ssid", "passwd", "token")} | {"md": 0}).encode(),
    "gw_di": b'{"swv":"1.0.6","pk":"keyproduct","id":"0123devid"}',
    "gw_ai": json.dumps({"lckey": SECRETS["local_key"], "mq_psk": SECRETS["mq_psk"], "lat": SECRETS["lat"]}).encode(),
    "unheard_of": b'{"anything":"hunter-2-network"}',
    "000004poga": b'[{"id":1,"mode":"rw","type":"obj","property":{"type":"bool"}}]',
    "user_param_key": spelt(BREAKER).encode(),
}
TUYA = (
    b"\0< TUYA IOT SDK V:2.3.3 BS:40.00_PT:2.2_LAN:3.4_CAD:1.0.5_CD:1.0.0 >\r\n"
    b"< BUILD AT:2022_01_10_14_39_48 BY ci_manage FOR ty_iot_sdk AT bk7231n >\0oem_bk7231n_plug\0"
)


@pytest.fixture(scope="module")
def stock() -> bytes:
    flash = Board(Chip.N, says=TUYA).dump
    flash = in_flash(b"\xff" * SECTOR, flash, 0x1D1000)
    flash = in_flash(file_system(), flash, START)
    flash = in_flash(FACTORY_WORDS, flash, 0x1D5000)
    flash = in_flash(licence_sector({"gw_bi": VALUES["gw_bi"]}), flash, 0x1ED000)
    return in_flash(storage(VALUES, seed=2), flash)


@pytest.fixture(scope="module")
def record(stock: bytes) -> dict[str, Any]:
    return as_record(inspect_flash(stock))


def test_the_map_is_made_by_content(record: dict[str, Any]) -> None:
    found = {(r["name"], r["start"], r["end"]) for r in record["map"] if r["by_content"] and r["name"] != "erased"}
    assert found == {
        ("bootloader", 0, 0x11000), ("app", 0x11000, 0x12A000), ("littlefs", START, START + 0x8000),
        ("rf", 0x1D0000, 0x1D1000), ("constants", 0x1D5000, 0x1D6000), ("licence", 0x1ED000, 0x1EE000),
        ("tuya-key", 0x1EE000, 0x1EF000), ("tuya-kv", 0x1EF000, 0x200000),
    }  # fmt: skip
    edges = [(r["start"], r["end"]) for r in record["map"]]
    assert edges[0][0] == 0
    assert edges[-1][1] == 0x200000
    assert all(end == start for (_, end), (start, _) in pairwise(edges))


def test_programs_say_what_they_are(record: dict[str, Any]) -> None:
    loader, app = record["programs"]
    assert (loader["version"], [e["name"] for e in loader["partition_table"]]) == (
        "BK7231N_1.0.1", ["bootloader", "app", "download"],
    )  # fmt: skip
    assert (app["product"], app["version"], app["sdk"], app["built"]) == (
        "oem_bk7231n_plug", "1.0.6", "TUYA IOT SDK 2.3.3, base 40.00", "2022-01-10 14:39:48",
    )  # fmt: skip


def test_pins_meter_and_constants_come_out(record: dict[str, Any]) -> None:
    board = record["configuration"]
    assert (board["source"], board["module"], board["chip"]) == ("storage", "CBU", "BK7231N")
    assert {(use["pin"], use["role"]) for use in board["pins"]} == {
        (24, "relay, set coil"), (26, "relay, reset coil"), (17, "button"), (15, "Wi-Fi LED"),
        (10, "from the metering chip (RX)"), (11, "to the metering chip (TX)"),
    }  # fmt: skip
    assert (board["meter"]["chip"], board["meter"]["bus"]) == ("BL0942", "UART")
    assert (record["factory_constants"]["counts_per_volt"], record["factory_constants"]["start"]) == (15968, 0x1D5000)
    assert record["problems"] == []


def test_files_are_listed(record: dict[str, Any]) -> None:
    (system,) = record["file_systems"]
    assert [file["path"] for file in system["files"]] == ["/autoexec.bat", "/pages", "/pages/long.txt"]


@pytest.mark.parametrize("by", [0x11000, 0x80000, 0x1EF000])
def test_a_rotated_dump_gives_the_same(stock: bytes, record: dict[str, Any], by: int) -> None:
    rotated = as_record(inspect_flash(stock[by:] + stock[:by]))
    assert f"its first byte is flash {by:#x}" in rotated["problems"][0]["what"]
    for same in ("map", "storage", "configuration", "factory_constants", "file_systems"):
        assert rotated[same] == record[same]


def test_a_bare_storage_area_gives_the_board(record: dict[str, Any]) -> None:
    bare = as_record(inspect_flash(storage(VALUES)))
    assert bare["configuration"] == record["configuration"]
    assert [(r["name"], r["start"]) for r in bare["map"]] == [("tuya-key", 0x1EE000), ("tuya-kv", 0x1EF000)]


def test_a_dump_cut_in_the_storage_says_what_is_missing(stock: bytes) -> None:
    cut = as_record(inspect_flash(stock[:0x1F4000]))
    assert any("49152 are missing" in problem["what"] for problem in cut["problems"])


def test_a_problem_is_placed_in_flash_also_in_a_rotated_dump(stock: bytes) -> None:
    damaged = bytearray(stock)
    damaged[0x20000] ^= 1
    rotated = bytes(damaged[0x11000:] + damaged[:0x11000])
    (straight,) = as_record(inspect_flash(bytes(damaged)))["problems"][:1]
    found = [problem["offset"] for problem in as_record(inspect_flash(rotated))["problems"]]
    assert straight["offset"] in found


@pytest.mark.parametrize("kept", [0x1D0000, 0x1E0000, 0x1EE000])
def test_a_dump_of_which_most_is_erased_still_gives_the_board(stock: bytes, record: dict[str, Any], kept: int) -> None:
    half = b"\xff" * kept + stock[kept:]
    found = as_record(inspect_flash(half))
    assert found["configuration"] == record["configuration"]
    assert found["storage"]["values"] == record["storage"]["values"]


@pytest.mark.parametrize("length", range(0x8000, 0x200000, 0x33000))
def test_a_dump_cut_anywhere_has_a_clear_answer(stock: bytes, length: int) -> None:
    found = as_record(inspect_flash(stock[:length]))
    assert "none here" in found["storage"]["answer"]
    assert found["problems"]
    assert found["map"][-1]["end"] == length


def test_a_board_with_a_microcontroller_is_said_to_have_one(n: Board, wattrail: Type) -> None:
    Path("mcu.bin").write_bytes(in_flash(storage({"baud_cfg": b'{"baud":9600}'}), n.dump))
    said = wattrail("image", "inspect", "mcu.bin").out
    assert "meter   behind a microcontroller, if there is one; the line to it has 9600 baud" in said


def test_one_of_something_is_said_as_one(n: Board) -> None:
    record = as_record(inspect_flash(in_flash(storage({"baud_cfg": b'{"baud":9600}'}, seed=2), n.dump)))
    assert record["storage"]["answer"] == "1 value in 17 sectors"
    assert next(r["holds"] for r in record["map"] if r["name"] == "tuya-kv") == "Tuya: 1 setting"


def test_openbekens_settings_are_shown(n: Board) -> None:
    settings = default_configuration(Chip.N, MAC).with_text("startup_command", "backlog startDriver BL0942; SSID1 home")
    settings = settings.with_text("wifi_ssid", "the-network").with_text("mqtt_password", "hunter-2-network")
    flash = in_flash(settings.sector(), n.dump, 0x1D1000)
    shown = as_record(inspect_flash(flash))["openbeken"]
    assert (shown["start"], shown["drivers_started"]) == (0x1D1000, ["BL0942"])
    assert not re.search("the-network|hunter|home|01:02:FE|obk8C|_0102FE", json.dumps(shown), re.IGNORECASE)
    assert as_record(inspect_flash(flash), shows_secrets=True)["openbeken"]["settings"]["wifi_ssid"] == "the-network"


@pytest.mark.parametrize("data", [b"", b"\xff" * 0x200000, b"\0" * 5000, b"any text"])
def test_a_file_without_anything_has_a_record_all_the_same(data: bytes) -> None:
    found = as_record(inspect_flash(data))
    assert (found["schema"], found["storage"]["read"], found["configuration"]) == (SCHEMA, False, None)
    json.dumps(found, allow_nan=False)


def test_settings_under_another_key_are_a_clear_answer(stock: bytes) -> None:
    flash = in_flash(key_sector(master=b"another firmware"), stock)
    assert "the master key that is known does not open" in as_record(inspect_flash(flash))["storage"]["answer"]


@pytest.mark.parametrize(
    ("library", "said"),
    [("cryptography.hazmat.primitives.ciphers", "cryptography"), ("littlefs", "littlefs-python")],
)
def test_a_missing_library_costs_its_part_only(
    stock: bytes, library: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    found = as_record(inspect_flash(stock))
    assert said in json.dumps([found["storage"], found["problems"]])
    assert found["factory_constants"] is not None
    assert found["programs"][1]["product"] == "oem_bk7231n_plug"


# ---- secrets


def test_no_secret_is_in_any_output(stock: bytes, wattrail: Type) -> None:
    Path("stock.bin").write_bytes(stock)
    said = wattrail("image", "inspect", "stock.bin", "--svg", "map.svg", "--extract", "apart")
    as_json = wattrail("image", "inspect", "stock.bin", "--json")
    assert said.code == as_json.code == 0
    written = b"".join(path.read_bytes() for path in Path("apart").rglob("*") if path.is_file())
    everything = (said.out + said.err + as_json.out + Path("map.svg").read_text()).encode() + written
    for secret in (*SECRETS.values(), SCRIPT.decode(), "0123devid", MAC.hex(":").upper(), MAC.hex()):
        assert secret.encode() not in everything, secret
    assert "hidden values are shown with --secrets" in said.out
    assert "/autoexec.bat" in said.err


def test_secrets_are_shown_and_extracted_when_asked_for(stock: bytes, wattrail: Type) -> None:
    Path("stock.bin").write_bytes(stock)
    said = wattrail("image", "inspect", "stock.bin", "--secrets", "--extract", "apart")
    assert "hunter-2-network" in said.out
    assert Path("apart/files/1c8000/autoexec.bat").read_bytes() == SCRIPT
    assert Path("apart/partitions/1ef000-tuya-kv.bin").read_bytes() == stock[0x1EF000:]
    kept = json.loads(Path("apart/storage.json").read_text())
    assert kept["storage"]["values"]["gw_wsm"]["value"]["passwd"] == "hunter-2-network"
    assert MAC.hex(":").upper() in said.out


def test_a_secret_name_is_hidden_inside_what_is_public() -> None:
    assert hide("user_param_key", {"rl1_pin": 26, "nested": {"SSID": "home"}}) == {
        "rl1_pin": 26, "nested": {"SSID": "hidden: Wi-Fi name"},
    }  # fmt: skip


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_each_secret_name_hides_its_value_anywhere(name: str) -> None:
    for key in ("gw_di", "gw_bi", "gw_wsm", "gw_ai", "user_param_key", "unknown"):
        assert "value" not in json.dumps(hide(key, {name: ["value"]}))


def test_what_looks_like_a_schema_but_says_more_is_hidden() -> None:
    assert hide("abc", [{"id": 1, "ssid": "home"}]) == [{"id": "hidden: device id", "ssid": "hidden: Wi-Fi name"}]


# ---- typed


def test_the_report_reads_as_text(stock: bytes, wattrail: Type) -> None:
    Path("stock.bin").write_bytes(stock)
    lines = wattrail("image", "inspect", "stock.bin").out.splitlines()
    for line in (
        "stock.bin: flash dump, certain; BK7231N, certain; 2097152 bytes",
        "0x1ee000-0x1ef000    4096  ########################  tuya-key: Tuya: key of the settings",
        "app: oem_bk7231n_plug 1.0.6, TUYA IOT SDK 2.3.3, base 40.00, built 2022-01-10 14:39:48",
        "  meter   BL0942 by UART: chip_type is 3",
        "  take them by: wattrail meter calibrate METER --factory 15968,12418,3091,2653",
        "  P24     relay, set coil, active high  (rl_on1_pin)",
        "  gw_wsm             md 0; hidden: ssid, passwd, token",
        "  000004poga         1 data points: 1 bool",
        "local key: 2 candidates, version 3.4 of the local protocol",
        "  read the meter as it is: wattrail meter key tuya://HOST THIS-FILE",
        "LittleFS 2.1 at 0x1c8000, 32768 bytes",
    ):
        assert line in lines


def test_a_folder_with_something_in_it_is_not_written_into(stock: bytes, wattrail: Type) -> None:
    Path("stock.bin").write_bytes(stock)
    Path("apart").mkdir()
    Path("apart/mine.txt").write_text("mine")
    said = wattrail("image", "inspect", "stock.bin", "--extract", "apart")
    assert said.code == 2
    assert "exists already and is not an empty folder" in said.err
    assert [path.name for path in Path("apart").iterdir()] == ["mine.txt"]


def test_a_path_in_a_file_system_leads_nowhere_else(n: Board, wattrail: Type) -> None:
    files = {"..\\..\\name": b"one", "C:name": b"two", "a?b": b"three", "a*b": b"four"}
    Path("stock.bin").write_bytes(in_flash(file_system(files=files), n.dump, START))
    assert wattrail("image", "inspect", "stock.bin", "--secrets", "--extract", "apart").code == 0
    written = {path.name: path.read_bytes() for path in Path("apart/files/1c8000").iterdir()}
    assert written == {".._.._name": b"one", "C_name": b"two", "a_b": b"four", "a_b_": b"three"}


def test_the_picture_is_an_svg_that_stands_by_itself(record: dict[str, Any]) -> None:
    drawn = picture_svg(record["map"], "stock <&> dump")
    root = ElementTree.fromstring(drawn)
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == "stock <&> dump"
    assert {"bootloader", "app", "tuya-kv", "rf"} <= set(texts)
    assert not re.search("href|style|script|class", drawn)
    assert len(list(picture_lines(record["map"]))) == len(record["map"]) + 1
