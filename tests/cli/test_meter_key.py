"""The local key of a stock meter goes from its dump into the secrets file, and is shown nowhere on the way."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.cli.network_rig import background
from tests.image.stock_storage import storage
from wattrail.clock import SystemClock
from wattrail.twin.network.devices import tuya
from wattrail.twin.network.tuya import SimulatedTuya, TuyaServer, serve_tuya

KEY, ID = "pl&nt$ed<key>'=1", "bf000000000000000000"
DECOY = "sixteen-letters!"


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A secrets file that is not there yet."""
    file = tmp_path / "configuration" / "secrets.toml"
    monkeypatch.setenv("WATTRAIL_SECRETS", str(file))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    return file


@contextmanager
def meter(version: str = "3.3", key: str = KEY) -> Iterator[TuyaServer]:
    device: SimulatedTuya = tuya(SystemClock(), version=version, total_wh=1000)
    device.local_key, device.device_id = key, ID
    device.meter.set(volts=230.0, watts=500.0)
    device.report()
    with background() as loop:
        yield loop.enter(serve_tuya(device))


@pytest.fixture
def dump(tmp_path: Path) -> Callable[..., Path]:
    def make(*, version: str = "3.3", **activation: str) -> Path:
        values = {
            "gw_di": {"id": ID, "lpv": version, "pk": "keyproduct"},
            "gw_bi": {"uuid": DECOY, "auth_key": "A" * 32},
            "gw_ai": activation or {"lckey": KEY},
        }
        path = tmp_path / "stock.bin"
        path.write_bytes(storage({name: json.dumps(value).encode() for name, value in values.items()}))
        return path

    return make


Dump = Callable[..., Path]


@pytest.mark.parametrize("version", ["3.3", "3.4", "3.5"])
def test_a_key_is_proven_stored_and_used(wattrail: Type, dump: Dump, secrets: Path, version: str) -> None:
    with meter(version) as served:
        taken = wattrail("meter", "key", f"tuya://{served.place}?board=pziot-e01", str(dump(version=version)))
        assert (taken.code, KEY in taken.out + taken.err, ID in taken.out + taken.err) == (0, False, False)
        assert f"the meter has proven its local key; it is stored as '127.0.0.1' in {secrets}" in taken.err
        url = taken.out.strip()
        assert url == f"tuya://{served.place}?board=pziot-e01&version={version}"
        said = wattrail("meter", "read", url, "--json")
        assert said.code == 0, said.err
        assert json.loads(said.out)["watts"] == 500.0
        assert KEY not in said.out + said.err
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600


def test_a_login_that_was_stored_before_stays(wattrail: Type, dump: Dump, secrets: Path) -> None:
    secrets.parent.mkdir()
    secrets.write_text('# mine\n[broker]\nuser = "me"\npassword = "mine"\n')
    secrets.chmod(0o600)
    with meter() as served:
        taken = wattrail("meter", "key", f"tuya://{served.place}", str(dump()), "--login", "kitchen e01")
        assert taken.code == 0, taken.err
        assert taken.out.strip().endswith("?version=3.3&login=kitchen e01&board=BOARD")
        assert "put the board in place of BOARD" in taken.err
    text = secrets.read_text()
    assert text.startswith('# mine\n[broker]\nuser = "me"\npassword = "mine"\n\n["kitchen e01"]\n')
    again = wattrail("meter", "key", f"tuya://{served.place}", str(dump()), "--login", "broker")
    assert again.code == 2
    assert "a login named 'broker' is stored already" in again.err


def test_the_key_is_found_among_others_by_the_meter(wattrail: Type, dump: Dump, secrets: Path) -> None:
    with meter("3.4") as served:
        path = dump(version="3.4", key=DECOY, other=KEY)
        assert wattrail("meter", "key", f"tuya://{served.place}?board=pziot-e01", str(path)).code == 0
        assert served.connections == 2
    assert secrets.exists()


def test_a_meter_that_was_paired_again_proves_no_key(wattrail: Type, dump: Dump, secrets: Path) -> None:
    with meter("3.4", key="another-key-1234") as served:
        taken = wattrail("meter", "key", f"tuya://{served.place}", str(dump(version="3.4")))
    assert taken.code == 3
    assert "none of 2 candidates opens the device: it was paired again since, it is busy" in taken.err
    assert KEY not in taken.err
    assert not secrets.exists()


def test_a_dump_of_a_meter_that_was_never_paired_says_so(wattrail: Type, tmp_path: Path, secrets: Path) -> None:
    path = tmp_path / "stock.bin"
    path.write_bytes(storage({"gw_di": b'{"swv":"1.0.6"}'}))
    taken = wattrail("meter", "key", "tuya://127.0.0.1:1", str(path))
    assert taken.code == 1
    assert "Tuya's settings hold no local key" in taken.err
    assert "pair the meter with its app first" in taken.err
    assert not secrets.exists()


def test_a_version_that_nobody_names_is_asked_for(wattrail: Type, dump: Dump, secrets: Path) -> None:
    taken = wattrail("meter", "key", "tuya://127.0.0.1:1", str(dump(version="")))
    assert taken.code == 2
    assert "the dump does not name the version of the protocol, and the URL says none" in taken.err
    assert not secrets.exists()


def test_version_3_1_proves_nothing(wattrail: Type, dump: Dump, secrets: Path) -> None:
    taken = wattrail("meter", "key", "tuya://127.0.0.1:1", str(dump(version="3.1")))
    assert taken.code == 2
    assert "a device of version 3.1 answers in clear, which proves no key" in taken.err
    assert not secrets.exists()


def test_nobody_at_the_address_stores_nothing(wattrail: Type, dump: Dump, secrets: Path) -> None:
    taken = wattrail("meter", "key", "127.0.0.1:1", str(dump()))
    assert taken.code == 3
    assert "cannot connect: connection refused" in taken.err
    assert not secrets.exists()


def test_another_kind_of_url_is_refused(wattrail: Type, dump: Dump) -> None:
    taken = wattrail("meter", "key", "openbeken://127.0.0.1", str(dump()))
    assert taken.code == 2
    assert "is not a meter with Tuya's firmware" in taken.err


def test_a_meter_whose_total_is_zero_is_read_at_once_without_it(
    wattrail: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    with meter() as served:
        served.device.meter.register.reset()
        served.device.report()
        monkeypatch.setenv("WATTRAIL_LOGIN_E01", f"{ID}:{KEY}")
        said = wattrail("meter", "read", f"tuya://{served.place}?version=3.3&board=pziot-e01&login=e01")
    assert said.code == 0
    assert "500.0 W" in said.out
    assert "no energy: the meter says no total now" in said.err


def test_a_timeout_that_is_not_a_number_is_refused(wattrail: Type, secrets: Path, dump: Dump) -> None:
    said = wattrail("meter", "key", "tuya://192.0.2.1?timeout=soon", str(dump()))
    assert said.code == 2
    assert "timeout='soon'" in said.err
    assert not secrets.exists()
