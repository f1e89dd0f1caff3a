"""The add-on of Home Assistant: its description, and what its start does with options and a broker."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from wattrail import __version__
from wattrail.access import Scope
from wattrail.access.passwords import matches
from wattrail.app import load_config, plan_service
from wattrail.cli.main import main
from wattrail.sources import Secrets
from wattrail.store.access import AccessBook

ADDON = Path(__file__).parents[2] / "packaging" / "home-assistant-addon"
REQUIRED = {"name", "version", "slug", "description", "arch"}
KNOWN = REQUIRED | {
    "url", "startup", "boot", "timeout", "stage", "services", "map", "uart", "ports", "ports_description", "backup",
    "backup_exclude", "options", "schema",
}  # fmt: skip
"""Fields that the documentation of add-ons has: developers.home-assistant.io, add-ons/configuration."""

TYPE = re.compile(r"(str|bool|int|float|port|url|password|list\([\w|-]+\))(\([\d,]*\))?\??")
BROKER = {"host": "core-mosquitto", "port": 1883, "username": "addons", "password": "planted"}


def written(name: str) -> dict[str, Any]:
    found = yaml.safe_load((ADDON / name).read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The start script, with folders of its own."""
    spec = importlib.util.spec_from_file_location("addon_run", ADDON / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "CONFIG", tmp_path / "config" / "wattrail.toml")
    monkeypatch.setattr(module, "DATABASE", tmp_path / "data" / "wattrail.sqlite")
    for kind in ("CONFIG", "DATA"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / "home"))
    return module


@contextmanager
def supervisor(data: dict[str, object] | None) -> Iterator[str]:
    """The Supervisor's answer about the service mqtt."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_right = self.path == "/services/mqtt" and self.headers["Authorization"] == "Bearer token"
            self.send_response(200 if data is not None and is_right else 400)
            self.end_headers()
            self.wfile.write(json.dumps({"result": "ok", "data": data}).encode())

        def log_message(self, *_arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_its_description_has_the_fields_of_the_documentation_and_no_other() -> None:
    config = written("config.yaml")
    assert config.keys() >= REQUIRED
    assert config.keys() <= KNOWN
    assert config["version"] == __version__
    assert config["options"].keys() == config["schema"].keys()
    assert all(TYPE.fullmatch(kind) for kind in config["schema"].values())
    assert set(written("build.yaml")["build_from"]) == set(config["arch"])


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_option_and_port_is_translated(language: str) -> None:
    config, translation = written("config.yaml"), written(f"translations/{language}.yaml")
    assert translation["configuration"].keys() == config["options"].keys()
    assert all({"name", "description"} == set(entry) for entry in translation["configuration"].values())
    assert translation["network"].keys() == config["ports"].keys()


def test_the_first_start_makes_a_configuration_with_the_broker(start: ModuleType) -> None:
    with supervisor(BROKER) as address:
        found = start.broker(address, "token")
    options = {"meter": "spi:///dev/spidev0.0", "confirmed": "isolated", "page": False, "log_level": "warning"}
    _, *words = start.init_command(options, found)
    assert main(words) == 0
    config = load_config(start.CONFIG)
    assert config is not None
    assert [meter.url for meter in config.meter] == ["spi:///dev/spidev0.0"]
    assert config.publish.home_assistant is not None
    assert config.publish.home_assistant.address().host == "core-mosquitto"
    assert plan_service(config).database == start.DATABASE
    assert "planted" not in start.CONFIG.read_text()


def test_the_login_of_the_broker_is_found_by_the_gateway(start: ModuleType, tmp_path: Path) -> None:
    variables = start.login_variable({name: str(value) for name, value in BROKER.items()})
    secrets = Secrets(file=tmp_path / "none.toml", environment=variables, uses_keyring=False)
    login = secrets.find("core-mosquitto")
    assert login is not None
    assert (login.user, login.password) == ("addons", "planted")


def test_without_a_broker_it_starts_all_the_same(start: ModuleType) -> None:
    with supervisor(None) as address:
        assert start.broker(address, "token") is None
    _, *words = start.init_command({"meter": "none", "confirmed": "none"}, None)
    assert main(words) == 0
    config = load_config(start.CONFIG)
    assert config is not None
    assert config.meter == []


def test_the_page_is_an_option_and_closed_at_first(start: ModuleType) -> None:
    options = written("config.yaml")["options"]
    assert "--no-web" in start.run_command(options)
    assert start.run_command(options | {"page": True, "log_level": "info"})[-5:] == [
        "--host",
        "0.0.0.0",
        "--wait-for-user",
        "--no-open",
        "-v",
    ]


def test_the_user_of_the_options_is_made_and_given_each_password(
    start: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    _, *words = start.init_command({"meter": "twin://pziot-e01"}, None)
    assert main(words) == 0
    monkeypatch.setattr(start.subprocess, "run", typed_by(monkeypatch))
    start.let_in({"user": "", "password": ""})
    assert "fill in user and password in the options" in capfd.readouterr().err
    start.let_in({"user": "anna", "password": "short"})
    assert "could not be made" in capfd.readouterr().err
    for password in ("correct horse battery", "another long one"):
        start.let_in({"user": "anna", "password": password})
        with AccessBook(start.DATABASE, read_only=True) as book:
            (user,) = book.users()
        assert user.scope is Scope.ADMIN
        assert matches(password, user.password_hash)
    start.let_in({"user": "", "password": ""})
    assert "fill in" not in capfd.readouterr().err, "the user stays"


def typed_by(monkeypatch: pytest.MonkeyPatch) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The commands of the add-on in this process, which is quicker than one for each."""

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(options.get("input") or ""))
        out = io.StringIO()
        with redirect_stdout(out):
            code = main(command[1:])
        return subprocess.CompletedProcess(command, code, out.getvalue())

    return run
