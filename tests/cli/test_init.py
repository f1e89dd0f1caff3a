"""``wattrail init``: a first configuration, asked for or given, which overwrites nothing."""

from __future__ import annotations

import io
import os
import re
import stat
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Terminal, Type
from wattrail.app import load_config, plan_service
from wattrail.app.config import find_config, parse_config
from wattrail.app.first_configuration import FirstAnswers, configuration_text
from wattrail.app.schema import Config, LogSection, SiteSection, StoreSection, WebSection
from wattrail.cli import init
from wattrail.sources import Secrets


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init, "machine_zone", lambda: "Europe/Berlin")
    monkeypatch.setattr(init, "list_candidates", lambda: ())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_without_a_terminal_it_asks_nothing_and_takes_the_usual(wattrail: Type, home: Path) -> None:
    said = wattrail("init")
    assert said.code == 0, said
    file, secrets = home / "config/wattrail/wattrail.toml", home / "config/wattrail/secrets.toml"
    assert said.out == f"made {home}/data/wattrail\nmade {home}/config/wattrail\nmade {secrets}\nmade {file}\n"
    assert f"next: wattrail run; a later change: edit {file}, then wattrail reload" in said.err
    assert (mode(secrets), mode(file)) == (0o600, 0o644 & ~current_umask())
    plan = plan_service(load_config())
    assert plan.demo is not None
    assert plan.gateway.zone == "Europe/Berlin"
    assert Secrets().find("broker.lan") is None
    checked = wattrail("config", "check")
    assert (checked.code, "nothing is wrong" in checked.out) == (0, True)


def test_every_example_in_the_file_is_right_once_its_mark_is_taken_away(tmp_path: Path) -> None:
    text = configuration_text(FirstAnswers(database=tmp_path / "w.sqlite"))
    (tmp_path / "tariff.toml").write_text("")
    text = text.replace("/etc/wattrail/tariff.toml", str(tmp_path / "tariff.toml"))
    plain = re.sub(r"^# (?=\[|[a-z_]+ = )", "", text, flags=re.MULTILINE)
    config = parse_config(plain.replace('solar = "roof"', 'solar = "house"'), "wattrail.toml")
    assert set(SiteSection.model_fields) == config.site.model_fields_set
    assert set(StoreSection.model_fields) - {"url"} == config.store.model_fields_set, "url stands in place of path"
    assert 'In place of path, a server: url = "postgresql://host/database"' in text
    assert set(WebSection.model_fields) == config.web.model_fields_set
    assert set(LogSection.model_fields) == config.log.model_fields_set
    usual = Config()
    assert config.store.retention() == usual.store.retention(), "the examples show what holds without them"
    assert config.log == usual.log


def current_umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found


def test_what_is_given_as_options_stands_in_the_file(wattrail: Type, tmp_path: Path) -> None:
    said = wattrail(
        "init", "--meter", "serial:///dev/ttyUSB0?baud=4800", "--name", "cellar", "--confirmed", "isolated",
        "--timezone", "Asia/Kolkata", "--database", str(tmp_path / 'a "b"' / "w.sqlite"), "--broker", "mqtt://10.0.0.5",
        "--config", "here.toml",
    )  # fmt: skip
    assert said.code == 0, said
    config = load_config(Path("here.toml"))
    assert config is not None
    (meter,) = config.meter
    assert (meter.name, meter.url, config.safety.confirmed) == ("cellar", "serial:///dev/ttyUSB0?baud=4800", "isolated")
    assert config.publish.home_assistant is not None
    assert plan_service(config).database == tmp_path / 'a "b"' / "w.sqlite"
    assert (tmp_path / 'a "b"').is_dir()
    assert wattrail("config", "check", "here.toml").code == 0


def test_at_a_terminal_it_asks_what_is_not_given(wattrail: Type, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("spi:///dev/spidev0.0\nmains-off\n\n\n\nmqtts://broker.lan\n"))
    monkeypatch.setattr(sys, "stderr", asked := Terminal())
    said = wattrail("init", "--timezone", "Europe/Paris")
    assert said.code == 0, asked.getvalue()
    assert asked.getvalue().count("[none]") == 3
    assert "Time zone" not in asked.getvalue()
    config = load_config()
    assert config is not None
    assert [(meter.name, meter.url) for meter in config.meter] == [("house", "spi:///dev/spidev0.0")]
    assert (config.safety.confirmed, config.site.timezone) == ("mains-off", "Europe/Paris")
    assert config.store.path == str(home / "data/wattrail/wattrail.sqlite")
    assert '# ["broker.lan"]' in (home / "config/wattrail/secrets.toml").read_text()


def test_nothing_is_overwritten(wattrail: Type, home: Path) -> None:
    folder = home / "config/wattrail"
    folder.mkdir(parents=True)
    (folder / "secrets.toml").write_text("# mine")
    assert wattrail("init").code == 0
    assert (folder / "secrets.toml").read_text() == "# mine"
    before = (folder / "wattrail.toml").read_text()
    said = wattrail("init", "--meter", "twin://pziot-e01")
    assert said.code == 2
    assert "is there already, and is left as it is" in said.err
    assert (folder / "wattrail.toml").read_text() == before


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--meter", "gopher://10.0.0.5"), "gopher"),
        (("--timezone", "Europe/Berlim"), "unknown time zone"),
        (("--broker", "10.0.0.5"), "must be like mqtt://"),
        (("--meter", "twin://pziot-e01", "--name", "a house"), "cannot be the name of a meter"),
    ],
)
def test_a_wrong_answer_writes_nothing(wattrail: Type, home: Path, options: tuple[str, ...], why: str) -> None:
    said = wattrail("init", *options)
    assert said.code == 2
    assert "nothing was written" in said.err
    assert why in said.err
    assert not list(home.iterdir())


def test_for_a_system_service_it_uses_the_folders_of_the_system(
    wattrail: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    etc, var = tmp_path / "etc/wattrail", tmp_path / "var/lib/wattrail"
    monkeypatch.setattr(init, "SYSTEM_CONFIG", etc)
    monkeypatch.setattr(init, "SYSTEM_DATA", var)
    said = wattrail("init", "--system", "--broker", "mqtt://broker.lan")
    assert said.code == 0, said
    assert "sudo systemctl enable --now wattrail" in said.err
    assert f"sudo wattrail user add NAME --scope admin --config {etc / 'wattrail.toml'}" in said.err
    assert mode(etc / "logins.env") == 0o600
    assert "# WATTRAIL_LOGIN_BROKER_LAN=user:password" in (etc / "logins.env").read_text()
    config = load_config(etc / "wattrail.toml")
    assert config is not None
    assert config.store.path == str(var / "wattrail.sqlite")


def test_a_folder_that_cannot_be_made_is_named_with_the_way_out(wattrail: Type, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = wattrail("init", "--database", str(tmp_path / "file" / "w.sqlite"))
    assert said.code == 2
    assert "cannot be made" in said.err
    assert "--database" in said.err


def test_an_end_of_the_input_takes_the_usual(wattrail: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert wattrail("init").code == 0
    assert isinstance(sys.stdin, io.StringIO)


def test_a_folder_that_cannot_be_searched_counts_as_a_configuration(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("wattrail.app.config.Path.lstat", refused)
    assert find_config() == home / "config/wattrail/wattrail.toml"
