"""Passwords are planted wherever a person may put them, and looked for wherever anybody may see them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser

from tests.cli.network_rig import background
from tests.cli.test_typed_secrets import forms
from tests.sources.conftest import NEEDS_BROKER, Mosquitto, publisher
from tests.web.conftest import browser
from wattrail.clock import SystemClock
from wattrail.twin.network.devices import openbeken, tasmota, tuya
from wattrail.twin.network.openbeken import SimulatedOpenBeken
from wattrail.twin.network.serving import serve_web
from wattrail.twin.network.tasmota import SimulatedTasmota
from wattrail.twin.network.tuya import serve_tuya

__all__ = ["browser"]

IN_FILE, IN_ENVIRONMENT, IN_KEYRING, ECHOED = (
    "pl&nt ed/fïle+1", "pl&nt ed/env?=2", "pl&nt-ed-keyring#3", "pl&nt ed/échö%4"
)  # fmt: skip
LOCAL_KEY = "pl&nt:lan/key+5?"
STOCK = "?version=3.4&board=pziot-e01&login=stock&ask=1"
DEADLINE_S = 180.0
KEYRING = f"""
from keyring.backend import KeyringBackend


class Keyring(KeyringBackend):
    priority = 1

    def get_password(self, service, name):
        return "meter:{IN_KEYRING}" if (service, name) == ("wattrail", "broker") else None

    def set_password(self, service, name, password):
        raise NotImplementedError

    delete_password = set_password
"""


@dataclass
class Person:
    """Types commands in a folder; ``seen`` is every text that came of it, by where it stood."""

    folder: Path
    environment: dict[str, str]
    seen: dict[str, str] = field(default_factory=dict)

    def types(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "wattrail", *words], cwd=self.folder, env=self.environment, timeout=DEADLINE_S,
            capture_output=True, text=True, check=False, encoding="utf-8",
        )  # fmt: skip
        self.seen[f"{len(self.seen)} {' '.join(words[:3])}"] = done.stdout + done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def running(self) -> Iterator[str]:
        """The gateway, and its address."""
        words = [sys.executable, "-m", "wattrail", "run", "--debug", "--port", "0", "--no-open"]
        with (
            (self.folder / "log").open("w") as log,
            subprocess.Popen(
                words, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=log, text=True
            ) as process,
        ):
            guard = threading.Timer(DEADLINE_S, process.kill)
            guard.start()
            assert process.stdout is not None
            address = next((line for line in process.stdout if line.startswith("http://")), "")
            assert address, (self.folder / "log").read_text()
            yield address.strip().rstrip("/")
            process.terminate()
            self.seen["stdout of run"] = process.communicate(timeout=DEADLINE_S)[0]
            guard.cancel()

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Every file but the one that a person wrote the secrets into."""
        for path in self.folder.rglob("*"):
            if path.is_file() and path.name != "secrets.toml" and not path.name.startswith("planted_keyring."):
                yield str(path.relative_to(self.folder)), path.read_bytes()


@pytest.fixture
def person(tmp_path: Path) -> Person:
    (tmp_path / "planted_keyring.py").write_text(KEYRING)
    secrets = tmp_path / "secrets.toml"
    secrets.write_text(f'[kitchen]\nuser = "admin"\npassword = "{IN_FILE}"\n', encoding="utf-8")
    secrets.chmod(0o600)
    return Person(tmp_path, {
        **os.environ,
        "HOME": str(tmp_path),
        **{f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("CONFIG", "DATA", "STATE", "CACHE")},
        "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "PYTHON_KEYRING_BACKEND": "planted_keyring.Keyring",
        "WATTRAIL_SECRETS": str(secrets),
        "WATTRAIL_LOGIN_SOLAR": f"admin:{IN_ENVIRONMENT}",
        "WATTRAIL_LOGIN_ECHO": f"admin:{ECHOED}",
        "WATTRAIL_LOGIN_STOCK": f"simulated00000000e01:{LOCAL_KEY}",
        "NO_COLOR": "1",
    })  # fmt: skip


def echo(target: str, head: bytes) -> bytes:
    """A device in trouble: it answers with what it was asked, and with the password in hex."""
    asked = ECHOED.encode().hex() + " " + ECHOED + " " + head.decode("latin-1").replace("\r\n", " ")[-60:]
    return b"HTTP/1.1 200 OK\r\n\r\n" + f"{asked} {target}".encode()


async def shout(port: int) -> None:
    """Somebody leaves the broker's password where numbers belong."""
    async with publisher(port, username="meter", password=IN_KEYRING) as publish:
        await publish("obkPlug/energycounter/get", f"{IN_KEYRING} {IN_KEYRING.encode().hex()}", retain=True)


def fetch(url: str) -> str:
    with urlopen(url, timeout=DEADLINE_S) as answer:
        text: str = answer.read().decode()
        return text


@NEEDS_BROKER
def test_a_planted_secret_is_found_nowhere(
    person: Person, tmp_path_factory: pytest.TempPathFactory, browser: Browser
) -> None:
    broker = Mosquitto(tmp_path_factory.mktemp("broker"), password=IN_KEYRING)
    broker.start()
    kitchen = SimulatedOpenBeken(openbeken(SystemClock(), total_wh=4200).meter, password=IN_FILE)
    solar = SimulatedTasmota(*tasmota(SystemClock(), total_wh=4200).phases, password=IN_ENVIRONMENT)
    stock = tuya(SystemClock(), version="3.4", total_wh=4200)
    stock.local_key = LOCAL_KEY
    try:
        with background() as loop:
            loop.run(shout(broker.port))
            urls = {
                "kitchen": f"openbeken://{loop.enter(serve_web(kitchen.answer))}?login=kitchen&mac={kitchen.mac}",
                "solar": f"tasmota://{loop.enter(serve_web(solar.answer))}?login=solar",
                "echo-header": f"openbeken://{loop.enter(serve_web(echo))}?login=echo",
                "echo-query": f"tasmota://{loop.enter(serve_web(echo))}?login=echo",
                "stock": f"tuya://{loop.enter(serve_tuya(stock, every_s=1)).place}{STOCK}",
                "plug": f"mqtt://127.0.0.1:{broker.port}/obkPlug?device=openbeken&ask=0&login=broker",
            }
            live_through_the_day(person, urls, browser)
    finally:
        broker.stop()
    leaks = [
        f"{where}: {form!r}"
        for secret in (IN_FILE, IN_ENVIRONMENT, IN_KEYRING, ECHOED, LOCAL_KEY)
        for form in forms(secret)
        for where, text in (*person.seen.items(), *person.files())
        if (form in text if isinstance(text, str) else form.encode() in text or form.encode("utf-16-le") in text)
    ]
    assert leaks == []


def live_through_the_day(person: Person, urls: dict[str, str], browser: Browser) -> None:
    """Every verb, the gateway with its page, and the mistakes of typing; each shows that it got as far as it should."""
    for name, url in urls.items():
        said = person.types("meter", "read", "--debug", "--json", url)
        assert "simulated" in said if name in ("kitchen", "solar", "stock") else "***" in said, said
        person.types("meter", "record", "--debug", url, "--file", f"{name}.jsonl", "--count", "1")
        assert (person.folder / f"{name}.jsonl").stat().st_size > 0
    tables = [f'[[meter]]\nname = "{name}"\nurl = "{url}"\n' for name, url in urls.items()]
    (person.folder / "wattrail.toml").write_text("\n".join((*tables, "[publish.openmetrics]\n")))
    with person.running() as address:
        follow(person, address, browser)


def follow(person: Person, address: str, browser: Browser) -> None:
    """The API, the page as a browser has drawn it, and the arguments of every process."""
    until = time.monotonic() + DEADLINE_S
    while True:
        meters = json.loads(fetch(f"{address}/api/v1/meters"))
        listed = meters["meters"] if isinstance(meters, dict) else meters
        states = {meter["name"]: meter for meter in listed}
        if all(one["reading"] or one["error"] for one in states.values()):
            break
        assert time.monotonic() < until, states
    assert states["kitchen"]["state"] == states["solar"]["state"] == states["stock"]["state"] == "live"
    for path in ("meters", "about", "publishers", "health", *(f"meters/{name}" for name in states)):
        person.seen[f"/api/v1/{path}"] = fetch(f"{address}/api/v1/{path}")
    for path in ("/", "/metrics"):
        person.seen[path] = fetch(address + path)
    page = browser.new_page()
    page.goto(address + "/")
    page.wait_for_function("() => document.body.innerText.includes('echo-header')")
    person.seen["the drawn page"] = page.content()
    page.close()
    processes = subprocess.run(["ps", "-ww", "-A", "-o", "args"], capture_output=True, text=True, check=True)
    person.seen["arguments"] = processes.stdout
