"""Every check of ``wattrail doctor``, on a machine that a story makes up."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.sources.conftest import NEEDS_BROKER, Mosquitto, broker, closed_broker
from tests.web.access_rig import Site
from tests.web.test_tls import made as pair
from wattrail.app.config import config_errors, parse_config
from wattrail.app.doctor import CHECKS, DoctorFinding, FindingSeverity, Surroundings, checks, examine, machine, network
from wattrail.app.doctor.machine import check_clock, check_disk, check_service, check_versions
from wattrail.app.doctor.network import check_access, check_brokers, check_certificate, check_page
from wattrail.app.doctor.ports import check_ports
from wattrail.app.doctor.storage import check_configuration, check_database, check_files
from wattrail.app.plan import plan_service
from wattrail.store import GatewayLock, open_store

__all__ = ["broker", "closed_broker"]

Check = Callable[[Surroundings], Iterator[DoctorFinding]]


class Machine:
    """A made-up machine: a folder in place of each part of the system."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file, self.database = folder, folder / "wattrail.toml", folder / "data" / "w.sqlite"
        for part in ("proc/self", "sys/dev/block", "etc", "run", "data", "dev"):
            (folder / part).mkdir(parents=True)
        self.write('[[meter]]\nname = "house"\nurl = "twin://pziot-e01"\n')

    def write(self, text: str) -> None:
        self.file.write_text(f'{text}[store]\npath = "{self.database}"\n')

    def found(self, check: Check, **instead: Any) -> list[DoctorFinding]:
        text = self.file.read_text()
        is_right = not config_errors(text, "wattrail.toml")
        config = parse_config(text, "wattrail.toml") if is_right else None
        parts: dict[str, Any] = {
            "file": self.file, "config": config, "plan": plan_service(config) if config else None,
            "database": self.database, "secrets": self.folder / "secrets.toml",
        }  # fmt: skip
        parts |= {name: self.folder / name for name in ("proc", "sys", "etc", "run")}
        return list(check(Surroundings(**parts | instead)))

    def worst(self, check: Check, **instead: Any) -> DoctorFinding:
        """The one finding that is not ok."""
        (finding,) = [found for found in self.found(check, **instead) if found.severity is not FindingSeverity.OK]
        return finding


@pytest.fixture
def made(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def severities(findings: list[DoctorFinding]) -> set[FindingSeverity]:
    return {finding.severity for finding in findings}


def test_a_right_configuration_and_its_libraries_are_in_order(made: Machine) -> None:
    assert severities(made.found(check_configuration) + made.found(check_versions)) == {FindingSeverity.OK}


def test_a_wrong_configuration_is_an_error_with_its_line(made: Machine) -> None:
    made.write("[solar]\n")
    finding = made.worst(check_configuration)
    assert finding.severity is FindingSeverity.ERROR
    assert "line 1: the file has no field 'solar'" in finding.text
    assert made.worst(check_configuration, file=None).remedy == "type: wattrail init"


def test_a_library_that_a_meter_needs_is_missed_with_its_command(
    made: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.write('[[meter]]\nname = "house"\nurl = "openbeken://192.0.2.7"\n')
    monkeypatch.setattr(machine, "find_spec", lambda name: None if name == "h11" else name)
    finding = made.worst(check_versions)
    assert finding.text == "h11 is missing, and the configuration needs it"
    assert "install" in (finding.remedy or "")


def test_a_device_that_is_not_there_is_an_error(made: Machine) -> None:
    made.write(f'[[meter]]\nname = "house"\nurl = "serial://{made.folder}/dev/ttyUSB9"\n')
    finding = made.worst(check_ports)
    assert finding.text == f"meter house: {made.folder}/dev/ttyUSB9 is not there"
    assert "plug it in" in (finding.remedy or "")


def test_the_process_that_holds_a_device_is_named(made: Machine) -> None:
    device = made.folder / "dev" / "ttyUSB0"
    device.write_text("")
    made.write(f'[[meter]]\nname = "house"\nurl = "serial://{device}"\n')
    assert severities(made.found(check_ports)) == {FindingSeverity.OK}
    (made.folder / "proc/812/fd").mkdir(parents=True)
    (made.folder / "proc/812/fd/3").symlink_to(device)
    (made.folder / "proc/812/comm").write_text("ModemManager\n")
    finding = made.worst(check_ports)
    assert finding.text.endswith("is open in process 812, ModemManager")
    assert "disable --now ModemManager" in (finding.remedy or "")


def test_a_device_of_another_group_names_the_group_to_join(made: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    device = made.folder / "dev" / "ttyUSB0"
    device.write_text("")
    device.chmod(0o660)
    made.write(f'[[meter]]\nname = "house"\nurl = "serial://{device}"\n')
    monkeypatch.setattr("wattrail.app.doctor.ports.os.access", lambda *_: False)
    monkeypatch.setattr("wattrail.app.doctor.ports.group_name", lambda _: "dialout")
    finding = made.worst(check_ports)
    assert "(group dialout, mode 0660)" in finding.text
    assert (finding.remedy or "").startswith("type: sudo usermod -aG dialout ")
    assert "SupplementaryGroups=dialout" in (finding.remedy or "")


def test_secrets_that_others_may_read_are_an_error(made: Machine) -> None:
    secrets = made.folder / "secrets.toml"
    secrets.write_text('[broker]\npassword = "hunter2"\n')
    secrets.chmod(0o644)
    finding = made.worst(check_files)
    assert finding.severity is FindingSeverity.ERROR
    assert finding.remedy == f"type: chmod 600 {secrets}"
    assert "hunter2" not in finding.text


def test_files_that_everybody_may_write_are_errors(made: Machine) -> None:
    made.file.chmod(0o646)
    assert made.worst(check_files).remedy == f"type: chmod o-w {made.file}"
    made.file.chmod(0o644)
    copy = made.database.with_name("w.sqlite.before-version-9")
    for file in (made.database, copy):
        file.write_text("")
    copy.chmod(0o606)
    assert made.worst(check_files).remedy == f"type: chmod o-w {copy}"


def test_a_folder_that_cannot_be_written_names_its_owner(made: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wattrail.app.doctor.storage.os.access", lambda *_: False)
    finding = made.worst(check_files)
    assert "cannot write there" in finding.text
    assert f"let the gateway run as {made.folder.owner()}" in (finding.remedy or "")


def test_the_gateway_that_holds_the_database_is_named(made: Machine) -> None:
    open_store(made.database).close()
    with GatewayLock(made.database):
        texts = [found.text for found in made.found(check_database)]
    assert texts[0].startswith(f"a gateway holds it: process {os.getpid()} on ")
    assert "whole, of this version, 0 accounts" in texts[1]


def test_a_database_of_a_newer_version_is_an_error(made: Machine) -> None:
    open_store(made.database).close()
    with closing(sqlite3.connect(made.database)) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert "has schema version 99" in made.worst(check_database).text


class _Usage(NamedTuple):
    free: int


@pytest.mark.parametrize(
    ("free", "severity"),
    [(10_000_000, FindingSeverity.ERROR), (200_000_000, FindingSeverity.WARNING), (2_000_000_000, FindingSeverity.OK)],
)
def test_a_disk_that_fills_is_said_in_time(
    made: Machine, monkeypatch: pytest.MonkeyPatch, free: int, severity: FindingSeverity
) -> None:
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _path: _Usage(free))
    assert made.found(check_disk)[0].severity is severity


@pytest.mark.parametrize(
    ("line", "says"),
    [("36 1 179:2 / / rw - ext4 /dev/root rw", "is on an SD card"), ("36 1 0:30 / / rw - tmpfs tmpfs rw", "in memory")],
)
def test_what_the_disk_is_comes_from_the_mounts(made: Machine, line: str, says: str) -> None:
    (made.folder / "proc/self/mountinfo").write_text(f"22 1 8:1 / /elsewhere rw - ext4 /dev/sda1 rw\n{line}\n")
    (made.folder / "sys/dev/block/179:2").symlink_to("../../devices/mmc0/block/mmcblk0/mmcblk0p2")
    assert says in made.found(check_disk)[-1].text


def test_a_clock_that_nothing_keeps_right_is_a_warning(made: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_is_synchronised", lambda: False)
    (made.folder / "etc/localtime").symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    assert "timedatectl set-ntp true" in (made.worst(check_clock).remedy or "")
    monkeypatch.setattr(machine, "_is_synchronised", lambda: True)
    assert severities(made.found(check_clock)) == {FindingSeverity.OK}
    (made.folder / "etc/localtime").unlink()
    assert "UTC" in made.worst(check_clock).text
    made.write('[[meter]]\nname = "house"\nurl = "twin://pziot-e01"\n[site]\ntimezone = "Asia/Kolkata"\n')
    assert severities(made.found(check_clock)) == {FindingSeverity.OK}


def test_a_port_of_the_page_that_is_taken_is_an_error(made: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        made.write(f'[[meter]]\nname = "house"\nurl = "twin://pziot-e01"\n[web]\nport = {port}\n')
        assert "another program uses this port" in (made.worst(check_page).remedy or "")
        with GatewayLock(made.database) as lock:
            lock.set_address(f"http://127.0.0.1:{port}/")
            assert [found.severity for found in made.found(check_page)] == [FindingSeverity.OK], "it is ours"


OPEN = '[[meter]]\nname = "house"\nurl = "twin://pziot-e01"\n[web]\nhost = "0.0.0.0"\nport = 0\n'


@pytest.mark.parametrize("is_there", [False, True])
def test_an_open_page_without_a_user_is_an_error_with_its_command(made: Machine, is_there: bool) -> None:
    assert severities(made.found(check_access)) <= {FindingSeverity.OK}, "this machine needs no user"
    made.write(OPEN)
    if is_there:
        open_store(made.database).close()
    finding = made.worst(check_access)
    assert finding.severity is FindingSeverity.ERROR
    assert "nobody can sign in" in finding.text
    assert finding.remedy == f"type: wattrail user add NAME --scope admin --database {made.database}"


def test_a_user_or_a_token_that_holds_opens_the_page(made: Machine) -> None:
    made.write(OPEN)
    site = Site(made.database.parent)
    made.database = site.database
    site.token("old", days=-1)
    assert "nobody can sign in" in made.worst(check_access).text, "it has expired"
    site.token("grafana")
    (finding,) = made.found(check_access)
    assert (finding.severity, finding.text) == (FindingSeverity.OK, "0 users, 2 tokens")


def test_hashes_that_every_user_of_the_machine_can_read_are_a_warning(
    made: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "is_reachable", lambda _folder: True)
    site = Site(made.database.parent)
    made.database = site.database
    made.database.chmod(0o644)
    assert severities(made.found(check_access)) == {FindingSeverity.OK}, "there is nothing to guess at"
    site.token("grafana")
    finding = made.worst(check_access)
    assert (finding.severity, finding.remedy) == (FindingSeverity.WARNING, f"type: chmod o-r {made.database}")
    made.database.chmod(0o640)
    assert severities(made.found(check_access)) == {FindingSeverity.OK}


def test_a_folder_is_reachable_where_every_folder_above_it_is(tmp_path: Path) -> None:
    (tmp_path / "home" / "data").mkdir(parents=True)
    (tmp_path / "home").chmod(0o700)
    assert network.is_reachable(Path("/"))
    assert not network.is_reachable(tmp_path / "home" / "data")


def served_by(made: Machine, certificate: Path, key: Path) -> DoctorFinding:
    made.write(f'[site]\ncertificate = "{certificate}"\nkey = "{key}"\n')
    (finding,) = made.found(check_certificate)
    return finding


def test_certificate_and_key_are_looked_at_before_a_browser_does(made: Machine, tmp_path: Path) -> None:
    first, second = pair(tmp_path, "first", days=60), pair(tmp_path, "second", days=5)
    right = served_by(made, *first)
    assert right.severity is FindingSeverity.OK
    assert "fits its key, and holds for 59 days" in right.text
    assert "mode 0600" in right.text
    late = served_by(made, *second)
    assert (late.severity, "expires in 4 days" in late.text) == (FindingSeverity.WARNING, True)
    assert "expired" in served_by(made, *pair(tmp_path, "third", days=-1)).text
    wrong_pair = served_by(made, first.certificate, second.key)
    assert (wrong_pair.severity, "that of another certificate" in wrong_pair.text) == (FindingSeverity.ERROR, True)
    assert "cannot be read" in served_by(made, first.certificate, tmp_path / "none.key").text
    first.key.chmod(0o644)
    assert served_by(made, *first).remedy == f"chmod 600 {first.key}"


def test_logins_of_the_service_that_others_may_read_are_an_error(made: Machine) -> None:
    logins = made.folder / "etc" / "wattrail" / "logins.env"
    logins.parent.mkdir()
    logins.write_text("WATTRAIL_LOGIN_BROKER_LAN=me:hunter2\n")
    logins.chmod(0o640)
    finding = made.worst(check_files)
    assert (finding.severity, finding.remedy) == (FindingSeverity.ERROR, f"type: sudo chmod 600 {logins}")
    assert "hunter2" not in finding.text
    logins.chmod(0o600)
    assert severities(made.found(check_files)) == {FindingSeverity.OK}


def test_a_broker_that_is_away_is_an_error_and_nobody_else_is_asked(made: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    made.write(
        f'[[meter]]\nname = "house"\nurl = "twin://pziot-e01"\n[publish.mqtt]\nbroker = "mqtt://127.0.0.1:{port}"\n'
    )
    finding = made.worst(check_brokers)
    assert f"broker 127.0.0.1:{port}: cannot connect" in finding.text
    assert finding.remedy == "check that the broker runs there"


@NEEDS_BROKER
def test_a_broker_takes_the_right_login_and_refuses_another(
    made: Machine, closed_broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.write(
        f'[[meter]]\nname = "plug"\nurl = "mqtt://127.0.0.1:{closed_broker.port}/plug?device=openbeken&login=me"\n'
    )
    monkeypatch.setenv("WATTRAIL_LOGIN_ME", "meter:planted-secret")
    (finding,) = made.found(check_brokers)
    assert finding.severity is FindingSeverity.OK, finding
    assert "without TLS, and takes the login" in finding.text
    monkeypatch.setenv("WATTRAIL_LOGIN_ME", "meter:another-secret")
    finding = made.worst(check_brokers)
    assert "refuses the login 'me'" in finding.text
    assert "another-secret" not in f"{finding}"


def test_a_unit_that_failed_says_where_its_log_is(made: Machine) -> None:
    assert made.found(check_service)[0].text == "systemd does not run here"
    unit = {"LoadState": "loaded", "ActiveState": "failed", "SubState": "failed", "UnitFileState": "disabled"}
    failed, disabled, restarts = machine.unit_findings(unit | {"NRestarts": "3"})
    assert (failed.severity, disabled.severity) == (FindingSeverity.ERROR, FindingSeverity.WARNING)
    assert "journalctl -u wattrail" in (failed.remedy or "")
    assert "started it again 3 times" in restarts.text


def test_a_check_that_fails_costs_the_others_nothing(made: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_around: Surroundings) -> Iterator[DoctorFinding]:
        raise RuntimeError("no such luck")
        yield

    monkeypatch.setattr(checks, "CHECKS", (("broken", broken), *CHECKS[:2]))
    found = made.found(lambda around: (finding for _, finding in examine(around)))
    assert "this check failed: RuntimeError: no such luck" in found[0].text
    assert found[1:]
