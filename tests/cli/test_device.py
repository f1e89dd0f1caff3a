"""The verbs about a running OpenBeken, typed at a simulated one."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.cli.network_rig import background, house_openbeken
from tests.image.boards import Board, openbeken
from wattrail.bk7231 import Chip
from wattrail.clock import ManualClock
from wattrail.device import DeviceBackup, DeviceInformation, check_image
from wattrail.device.backup import read_backup
from wattrail.image import build_ota
from wattrail.image.openbeken_configuration import default_configuration, find_configuration
from wattrail.twin.network.openbeken import SimulatedOpenBeken
from wattrail.twin.network.openbeken_pages import PageAnswer
from wattrail.twin.network.serving import WebFaults, serve_web

TEMPLATE = {
    "vendor": "Tuya", "name": "PZIOT-E01", "chip": "BK7231N", "flags": str(1 << 10 | 1 << 25),
    "pins": {"20": "Btn_ScriptOnly;1", "22": "WifiLED_n;0"}, "command": "startDriver BL0942SPI",
}  # fmt: skip

SETTINGS = """
boot_ok_seconds = 9
[names]
name = "Hausanschluss Zähler"
short_name = "meter1"
[mqtt]
host = "10.0.0.2"
port = 8884
client = "meter1"
[flags]
on = [40]
off = [10]
[calibration]
volts = 15200.0
"""


class Served:
    """A simulated device on loopback."""

    def __init__(self, device: SimulatedOpenBeken, place: str, faults: WebFaults) -> None:
        self.device, self.place, self.faults = device, place, faults
        self.board = device.board
        self.settings = device.board.settings

    def stored(self, name: str) -> str:
        """A text as it lies in flash now."""
        assert self.board.is_up
        found = find_configuration(bytes(self.board.flash), chip=Chip.N)
        assert found is not None
        return found[1].text(name)


@pytest.fixture
def served(manual_clock: ManualClock) -> Iterator[Served]:
    manual_clock.advance(3600)
    device, faults = house_openbeken(manual_clock), WebFaults()
    manual_clock.advance(3600)
    with background() as loop:
        yield Served(device, loop.enter(serve_web(device.answer, faults=faults)), faults)


@pytest.fixture
def wifi(home: Path) -> str:
    path = home / "wifi.toml"
    path.write_text('ssid = "Home & Garden 50%"\npassword = "pa ss;$CH1+%"\n')
    path.chmod(0o600)
    return str(path)


def written(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def ota_image(chip: Chip = Chip.N, version: str = "1.18.300") -> bytes:
    code = Board(chip, says=openbeken(chip, version)).code
    return build_ota(code, version="1.00")


# ---- info


def test_info_says_who_it_is_and_hides_its_passwords(wattrail: Type, served: Served) -> None:
    served.settings.put_text("wifi_password", "correct horse")
    served.board.save()
    said = wattrail("device", "info", served.place)
    assert said.code == 0, said.err
    assert said.out.startswith("SIMULATED: SIMULATED_obk51A0CAFE: OpenBeken 1.18.230 on a BK7231N")
    assert "measures 230.1 V" in said.out
    assert "wifi_password: ***" in said.out
    assert "correct horse" not in said.out + said.err
    shown = json.loads(wattrail("device", "info", served.place, "--json", "--show-secrets").out)
    assert (shown["simulated"], shown["settings"]["wifi_password"]) == (True, "correct horse")


def test_a_host_that_is_not_openbeken_is_named_so(wattrail: Type) -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<h1>x</h1>"[:-1]
    with background() as loop:
        place = loop.enter(serve_web(lambda *_: page))
        said = wattrail("device", "info", place)
    assert said.code != 0
    assert "this is not OpenBeken" in said.err
    assert "wattrail discover" in said.err


def test_safe_mode_is_told_apart_from_another_server(wattrail: Type, served: Served) -> None:
    def without_api(target: str, request: bytes) -> bytes:
        return served.device.answer(target.replace("/api/", "/gone/"), request)

    with background() as loop:
        said = wattrail("device", "info", loop.enter(serve_web(without_api)))
    assert "as it does in safe mode" in said.err


def test_a_wrong_password_is_refused_and_the_right_one_taken(
    wattrail: Type, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.settings.put_text("web_password", "battery")
    monkeypatch.setenv("WATTRAIL_LOGIN_METER", "admin:staple-horse")
    said = wattrail("device", "info", served.place, "--login", "meter")
    assert said.code != 0
    assert "refuses the user or the password" in said.err
    assert "staple-horse" not in said.err
    monkeypatch.setenv("WATTRAIL_LOGIN_METER", "admin:battery")
    assert wattrail("device", "info", served.place, "--login", "meter").code == 0


def test_a_reboot_waits_until_the_device_has_started_again(wattrail: Type, served: Served) -> None:
    said = wattrail("device", "reboot", served.place)
    assert said.code == 0, said.err
    assert "is back" in said.out
    assert served.board.restarts == 1


def test_a_device_that_does_not_come_back_is_said(wattrail: Type, served: Served) -> None:
    served.board.never_returns = True
    said = wattrail("device", "reboot", served.place)
    assert said.code != 0
    assert "not back 90 s after the restart" in said.err


# ---- setup


def test_setup_shows_its_plan_and_a_dry_run_changes_nothing(wattrail: Type, served: Served) -> None:
    board = written("board.json", json.dumps(TEMPLATE))
    before = bytes(served.board.flash)
    said = wattrail("device", "setup", served.place, "--board", board, "--dry-run")
    assert said.code == 0, said.err
    assert "pin P20: none -> Btn_ScriptOnly;1;0" in said.out
    assert "startup_command: 'startDriver BL0942' -> 'startDriver BL0942SPI'" in said.out
    assert bytes(served.board.flash) == before


def test_setup_changes_everything_and_reads_it_back(
    wattrail: Type, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATTRAIL_LOGIN_10_0_0_2", "mq user:mq;p&ss%20")
    board, settings = written("board.json", json.dumps(TEMPLATE)), written("my.toml", SETTINGS)
    said = wattrail("device", "setup", served.place, "--board", board, "--configuration", settings)
    assert said.code == 0, said.err
    assert "changes are as wanted" in said.out
    assert served.board.restarts == 1
    assert served.stored("name") == "Hausanschluss Zähler"
    assert (served.stored("mqtt_user"), served.stored("mqtt_password")) == ("mq user", "mq;p&ss%20")
    assert "mq;p&ss" not in said.out + said.err
    found = find_configuration(bytes(served.board.flash), chip=Chip.N)
    assert found is not None
    assert found[1].flags == {25, 40}
    assert found[1].pins[20].role_name == "Btn_ScriptOnly"
    assert found[1].calibration[0] == pytest.approx(15200, rel=2e-3)
    again = wattrail("device", "setup", served.place, "--board", board, "--configuration", settings, "--json")
    changes = json.loads(again.out)["changes"]
    assert all("calibration" in change for change in changes), "the rest is there already"


def test_a_board_brings_its_gestures_and_the_former_script_is_kept(wattrail: Type, served: Served) -> None:
    files = served.device.pages.files
    files["autoexec.bat"] = b"startDriver NTP\n"
    said = wattrail("device", "setup", served.place, "--board", "pziot-e01")
    assert said.code == 0, said.err
    assert "file autoexec.bat: 1 line, which is kept as autoexec.before1.bat -> " in said.out
    assert files["autoexec.before1.bat"] == b"startDriver NTP\n"
    assert b"startDriver BL0942SPI\n" in files["autoexec.bat"]
    assert b"addEventHandler OnHoldStart 20 " in files["autoexec.bat"]
    assert served.board.restarts == 1, "a script runs at the start"
    assert served.stored("startup_command") == "startDriver BL0942SPI"
    again = wattrail("device", "setup", served.place, "--board", "pziot-e01")
    assert "has all of it already: nothing changes" in again.out
    assert set(files) == {"autoexec.bat", "autoexec.before1.bat"}


def test_a_board_without_its_script_leaves_the_files_alone(wattrail: Type, served: Served) -> None:
    said = wattrail("device", "setup", served.place, "--board", "pziot-e01", "--no-script")
    assert said.code == 0, said.err
    assert "autoexec" not in said.out
    assert served.device.pages.files == {}


def test_former_scripts_are_never_overwritten(wattrail: Type, served: Served) -> None:
    files = served.device.pages.files
    files["autoexec.bat"] = b"mine"
    files |= {f"autoexec.before{number}.bat": b"%d" % number for number in range(1, 10)}
    before = dict(files)
    said = wattrail("device", "setup", served.place, "--board", "pziot-e01")
    assert said.code != 0
    assert "keeps 9 former scripts already" in said.err
    assert "--no-script" in said.err
    assert files == before


def test_a_script_that_did_not_arrive_whole_is_said(wattrail: Type, served: Served) -> None:
    class Truncating(dict[str, bytes]):
        """A file system that is full."""

        def __setitem__(self, name: str, content: bytes) -> None:
            super().__setitem__(name, content[:512])

    served.device.pages.files = Truncating()
    said = wattrail("device", "setup", served.place, "--board", "pziot-e01")
    assert said.code != 0
    assert "the device has not taken everything: file autoexec.bat" in said.err


def test_a_build_without_a_file_system_takes_everything_else(wattrail: Type, served: Served, wifi: str) -> None:
    post = served.device.pages.post

    def refuse(path: str, body: bytes, *, is_whole: bool) -> PageAnswer | None:
        if path.startswith("/api/lfs/"):
            return "500 OK", "application/json", b'{"fname":"autoexec.bat","error":-5}'
        return post(path, body, is_whole=is_whole)

    served.device.pages.post = refuse  # type: ignore[method-assign]
    said = wattrail("device", "setup", served.place, "--board", "pziot-e01", "--name", "m3", "--wifi-file", wifi)
    assert said.code != 0
    assert "refused: write autoexec.bat: " in said.err
    assert "the device has not taken everything: file autoexec.bat: none -> " in said.err
    assert (served.stored("name"), served.stored("wifi_ssid")) == ("m3", "Home & Garden 50%")


def test_the_network_comes_last_and_its_password_is_never_shown(wattrail: Type, served: Served, wifi: str) -> None:
    said = wattrail("device", "setup", served.place, "--wifi-file", wifi, "--name", "meter2")
    assert said.code == 0, said.err
    assert "joins the network 'Home & Garden 50%'" in said.out
    assert "pa ss" not in said.out + said.err
    assert (served.stored("wifi_ssid"), served.stored("wifi_password")) == ("Home & Garden 50%", "pa ss;$CH1+%")
    assert said.err.splitlines()[-1] == "set the network"


def test_a_change_of_the_network_keeps_the_password_of_the_pages(
    wattrail: Type, served: Served, wifi: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.settings.put_text("web_password", "battery")
    served.board.save()
    monkeypatch.setenv("WATTRAIL_LOGIN_127_0_0_1", "admin:battery")
    assert wattrail("device", "setup", served.place, "--wifi-file", wifi).code == 0
    assert served.stored("web_password") == "battery"


def test_a_wifi_file_that_others_may_read_is_refused(wattrail: Type, served: Served, wifi: str) -> None:
    Path(wifi).chmod(0o644)
    said = wattrail("device", "setup", served.place, "--wifi-file", wifi)
    assert said.code != 0
    assert "others may read its password" in said.err
    assert "chmod 600" in said.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('ssid = "x\npassword = "hunter22"', "is not TOML"),
        ('ssid = "x"\npasswort = "hunter22"', "needs ssid and password"),
        ('password = "hunter22"', "needs ssid and password"),
    ],
)
def test_a_bad_wifi_file_is_refused_without_its_words(
    wattrail: Type, served: Served, wifi: str, text: str, message: str
) -> None:
    Path(wifi).write_text(text)
    said = wattrail("device", "setup", served.place, "--wifi-file", wifi)
    assert message in said.err
    assert "hunter22" not in said.err


def test_a_setting_the_firmware_refuses_is_named_the_rest_is_done(wattrail: Type, served: Served) -> None:
    role = json.dumps({"pins": {"5": "ShutterA;1"}, "command": "startDriver BL0942"})
    old = {"shuttera"}
    command = served.device.pages._command  # an old build does not know the role
    served.device.pages._command = lambda line: command("SetPinRole" if old & set(line.lower().split()) else line)  # type: ignore[method-assign]
    said = wattrail("device", "setup", served.place, "--board", written("b.json", role), "--name", "m3")
    assert said.code != 0
    assert "the device has not taken everything: pin P5" in said.err
    assert served.stored("name") == "m3"


def test_a_settings_file_with_a_typing_error_names_line_and_field(wattrail: Type, served: Served) -> None:
    said = wattrail("device", "setup", served.place, "--configuration", written("s.toml", "[names]\nnahme = 'x'\n"))
    assert said.code != 0
    assert "line 2" in said.err
    assert "nahme" in said.err


# ---- backup and restore


def test_a_backup_holds_what_a_restore_puts_back(wattrail: Type, served: Served) -> None:
    served.settings.put_text("mqtt_host", "10.0.0.9")
    served.board.save()
    start, end = served.board.file_system
    served.board.flash[start : start + 6] = b"little"
    said = wattrail("device", "backup", served.place, "kept.zip")
    assert said.code == 0, said.err
    assert Path("kept.zip").stat().st_mode & 0o077 == 0
    kept = read_backup(Path("kept.zip"))
    assert kept.is_simulated
    assert kept.configuration.text("mqtt_host") == "10.0.0.9"

    wattrail("device", "setup", served.place, "--name", "other", "--mqtt", "mqtt://10.0.0.3:1999")
    served.board.flash[start:end] = b"\xff" * (end - start)
    assert served.stored("mqtt_host") == "10.0.0.3"
    said = wattrail("device", "restore", served.place, "kept.zip")
    assert said.code == 0, said.err
    assert (served.stored("mqtt_host"), served.stored("name")) == ("10.0.0.9", kept.configuration.text("name"))
    assert bytes(served.board.flash[start : start + 6]) == b"little"


def test_a_backup_of_the_whole_flash_is_a_dump_as_well(wattrail: Type, served: Served) -> None:
    said = wattrail("device", "backup", served.place, "kept.zip", "--whole-flash", "--json")
    assert said.code == 0, said.err
    shown = json.loads(said.out)
    assert Path(shown["flash"]).read_bytes() == bytes(served.board.flash)
    assert shown["simulated"] is True


def test_without_a_file_a_backup_goes_to_the_simulated_ones(wattrail: Type, served: Served, home: Path) -> None:
    said = wattrail("device", "backup", served.place)
    assert said.code == 0, said.err
    (path,) = home.rglob("SIMULATED-openbeken-C8478C51CAFE-*.zip")
    assert path.parent.name == "simulated"


def test_a_backup_replaces_nothing(wattrail: Type, served: Served) -> None:
    written("kept.zip", "precious")
    said = wattrail("device", "backup", served.place, "kept.zip")
    assert said.code != 0
    assert "exists already" in said.err
    assert Path("kept.zip").read_text() == "precious"


def test_the_backup_of_another_device_is_refused(wattrail: Type, served: Served, manual_clock: ManualClock) -> None:
    assert wattrail("device", "backup", served.place, "kept.zip").code == 0
    served.device.mac = "C8478C000001"
    said = wattrail("device", "restore", served.place, "kept.zip")
    assert said.code != 0
    assert "the backup is of the device C8478C51CAFE, and C8478C000001 answers" in said.err
    assert "--other-device" in said.err


@pytest.mark.parametrize("at", [10, 200, -30])
def test_a_damaged_backup_is_not_put_back(wattrail: Type, served: Served, at: int) -> None:
    assert wattrail("device", "backup", served.place, "kept.zip").code == 0
    data = bytearray(Path("kept.zip").read_bytes())
    data[at] ^= 0xFF
    Path("kept.zip").write_bytes(data)
    served.settings.put_text("name", "untouched")
    served.board.save()
    said = wattrail("device", "restore", served.place, "kept.zip")
    if said.code == 0:  # a byte that no member depends on
        assert read_backup(Path("kept.zip")).configuration.text("name")
    else:
        assert served.stored("name") == "untouched"


def test_a_sector_written_from_outside_is_overwritten_by_the_firmware(
    served: Served, manual_clock: ManualClock
) -> None:
    """Why settings go through pages: seen with the Linux build, and the reason stands in its source."""
    place = served.board.layout["config"]
    served.device.answer(
        f"/api/flash/{place.start:x}", b"POST / HTTP/1.1\r\nContent-Length: 4096\r\n\r\n" + b"\xff" * 4096
    )
    manual_clock.advance(2)
    assert served.stored("short_name") == "obk51A0CAFE"


# ---- log


def test_the_log_hides_the_passwords_of_the_device(wattrail: Type, served: Served) -> None:
    served.settings.put_text("wifi_password", "correct horse")
    served.board.save()

    class Lines(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(b"Info:MAIN:joining x with correct horse\r\nInfo:\x1b[31mMAIN:two\r\nthree\r\n")

    with socketserver.TCPServer(("127.0.0.1", 0), Lines) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        said = wattrail("device", "log", served.place, "--port", str(server.server_address[1]), "--lines", "2")
    assert said.code == 0, said.err
    assert said.out.splitlines() == ["Info:MAIN:joining x with ***", "Info:\\x1b[31mMAIN:two"]


# ---- updates


def test_an_update_is_checked_sent_and_looked_at(wattrail: Type, served: Served) -> None:
    Path("new.rbl").write_bytes(ota_image())
    said = wattrail("device", "ota", served.place, "new.rbl", "--backup", "kept.zip")
    assert said.code == 0, said.err
    assert "OpenBeken 1.18.300 for BK7231N, newer" in said.out
    assert "ok   runs the new firmware: version 1.18.300" in said.out
    assert "ok   measures: 230.1 V" in said.out
    assert "updated: 1.18.230 -> 1.18.300" in said.out
    assert "supply" in said.err
    assert Path("kept-flash.bin").stat().st_size == 0x200000


def test_a_device_that_says_no_mac_is_known_by_its_settings(wattrail: Type, served: Served) -> None:
    served.device.mac = "00:00:00:00:85:CB"  # what lies on the firmware's stack while it has joined no network
    Path("new.rbl").write_bytes(ota_image(version="1.18.301"))
    said = wattrail("device", "ota", served.place, "new.rbl")
    assert said.code == 0, said.err
    assert "is the same device: MAC C8:47:8C:51:CA:FE" in said.out
    served.device.mac = "00:00:00:00:BD:E2"
    assert wattrail("device", "backup", served.place, "kept.zip").code == 0
    assert wattrail("device", "restore", served.place, "kept.zip").code == 0
    assert "MAC not said" in wattrail("device", "info", served.place).out


def test_a_dry_run_of_an_update_sends_nothing(wattrail: Type, served: Served) -> None:
    Path("old.rbl").write_bytes(ota_image(version="1.18.100"))
    before = bytes(served.board.flash)
    said = wattrail("device", "ota", served.place, "old.rbl", "--dry-run", "--json")
    assert json.loads(said.out)["order"] == "older"
    assert bytes(served.board.flash) == before


def test_an_update_for_another_chip_is_refused_before_it_is_sent(wattrail: Type, served: Served) -> None:
    Path("t.rbl").write_bytes(ota_image(Chip.T))
    before = bytes(served.board.flash)
    said = wattrail("device", "ota", served.place, "t.rbl")
    assert said.code != 0
    assert "the image is for BK7231T, the device is a BK7231N: it would not start" in said.err
    assert bytes(served.board.flash) == before


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-100], "package size"),
        (lambda data: data[:500] + b"\0\0\0\0" + data[504:], "package CRC-32"),
        (lambda data: data[:20], "cut off"),
        (lambda data: b"<html>" + data, "not an RBL container"),
        (lambda data: data + b"more", "4 bytes follow"),
    ],
)
def test_a_damaged_image_is_refused_before_it_is_sent(
    wattrail: Type, served: Served, damage: object, message: str
) -> None:
    Path("bad.rbl").write_bytes(damage(ota_image()))  # type: ignore[operator]
    said = wattrail("device", "ota", served.place, "bad.rbl")
    assert said.code != 0
    assert message in said.err


def test_power_lost_while_sending_leaves_the_old_firmware(wattrail: Type, served: Served) -> None:
    Path("new.rbl").write_bytes(ota_image())
    served.faults.upload_ends_after = 50_000
    said = wattrail("device", "ota", served.place, "new.rbl", "--no-dump", "--backup", "kept.zip")
    assert said.code != 0
    assert "the bootloader installs a whole image only" in said.err
    assert "wattrail device restore HOST kept.zip" in said.err
    assert served.board.restarts == 1
    assert served.board.version == "1.18.230"


def test_a_device_that_stays_away_after_an_update_has_a_way_back(wattrail: Type, served: Served) -> None:
    Path("new.rbl").write_bytes(ota_image())
    served.board.never_returns = True
    said = wattrail("device", "ota", served.place, "new.rbl", "--backup", "kept.zip")
    assert said.code != 0
    assert "after the update the device is not well: answers again" in said.err
    assert "by wire: wattrail flash restore PORT kept-flash.bin" in said.err


def test_the_space_for_an_update_is_the_whole_partition_on_a_t() -> None:
    """A genuine bootloader of a T installed 561,728 bytes, which reach behind the end of OpenBeken's files."""
    code = Board(Chip.T, says=openbeken(Chip.T)).code
    image = build_ota(code + bytes(561_728 - len(code)), compress=False, encrypt=False)
    told = DeviceInformation(
        chipset="BK7231T", chip=Chip.T, version="1.18.300", build="", mac="", ip="", short_name="", mqtt="",
        mqtt_client="", uptime_s=9, is_simulated=True,
    )  # fmt: skip
    sector = default_configuration(Chip.T, bytes(6)).sector()
    kept = DeviceBackup(
        Chip.T, "BK7231T", "", "1.18.300", "", "", True, sector, file_system=b"a file".ljust(32768, b"\xff")
    )
    plan = check_image(image, told, kept)
    assert plan.room == 0xA6000
    assert plan.overwrites_files, "they lie in the middle of it"
    assert not check_image(image, told, replace(kept, file_system=None)).overwrites_files


def test_an_image_larger_than_the_space_for_it_is_refused(wattrail: Type, served: Served) -> None:
    code = Board(Chip.N, says=openbeken(Chip.N)).code
    Path("large.rbl").write_bytes(build_ota(code + bytes(0x90000), compress=False, encrypt=False))
    said = wattrail("device", "ota", served.place, "large.rbl")
    assert said.code != 0
    assert "the space for a waiting update 679936" in said.err
