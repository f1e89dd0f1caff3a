"""Passwords come from three places, and show themselves in none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.errors
import pytest

from tests.sources.conftest import NEEDS_BROKER, Mosquitto, no_secrets, opened, publisher, run, web_server
from wattrail.credentials import Credentials, default_secrets_file, keep_in_file, keep_in_keyring
from wattrail.errors import AccessDenied, ConfigError, FileError, UrlError, WattrailError
from wattrail.sources import Secrets, open_source

PLANTED = "planted-secret"


def secrets_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "secrets.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


def secrets(file: Path) -> Secrets:
    return Secrets(file=file, environment={}, uses_keyring=False)


class Locker(keyring.backend.KeyringBackend):
    """A password store in memory."""

    priority = 1.0  # type: ignore[assignment]
    content: str | None = None
    is_locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.is_locked:
            raise keyring.errors.KeyringLocked
        return self.content if (service, username) == ("wattrail", "meter.lan") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.is_locked:
            raise keyring.errors.KeyringLocked(password)
        assert (service, username) == ("wattrail", "meter.lan")
        self.content = password

    def delete_password(self, service: str, username: str) -> None:
        raise NotImplementedError


@pytest.fixture
def locker() -> Iterator[Locker]:
    before, locker = keyring.get_keyring(), Locker()
    keyring.set_keyring(locker)
    yield locker
    keyring.set_keyring(before)


def test_the_file_gives_user_and_password(tmp_path: Path) -> None:
    file = secrets_file(tmp_path, '["meter.lan"]\npassword = "a:b"\n[broker]\nuser = "u"\npassword = "p"\n')
    found = secrets(file)
    assert found.find("broker") == Credentials("u", "p")
    assert found.find("meter.lan", default_user="admin") == Credentials("admin", "a:b")
    assert found.find("unknown") is None


def test_the_environment_comes_first(tmp_path: Path) -> None:
    file = secrets_file(tmp_path, '["meter.lan"]\nuser = "u"\npassword = "p"\n')
    found = Secrets(file=file, environment={"WATTRAIL_LOGIN_METER_LAN": "me:pa:ss"}, uses_keyring=False)
    assert found.find("meter.lan") == Credentials("me", "pa:ss")


def test_the_password_store_comes_last(tmp_path: Path, locker: Locker) -> None:
    locker.content = "secret"
    found = Secrets(file=tmp_path / "none", environment={})
    assert found.find("meter.lan", default_user="admin") == Credentials("admin", "secret")
    assert found.find("other") is None


def test_a_locked_password_store_is_an_empty_one(tmp_path: Path, locker: Locker) -> None:
    locker.is_locked = True
    assert Secrets(file=tmp_path / "none", environment={}).find("meter.lan") is None


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = secrets_file(tmp_path, "[a]\n", mode)
    with pytest.raises(ConfigError, match=rf"has mode {mode:04o}: others may read its passwords; expected 0600") as e:
        secrets(file).find("a")
    assert e.value.hint == f"type: chmod 600 {file}"


def test_what_is_wrong_in_the_file_is_said_without_its_content(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not TOML") as caught:
        secrets(secrets_file(tmp_path, f"[a]\npassword = {PLANTED}\n")).find("a")
    assert caught.value.__cause__ is None
    with pytest.raises(ConfigError, match=r"\[a\] needs password, and user, as text"):
        secrets(secrets_file(tmp_path, "[a]\npassword = 5\n")).find("a")


@pytest.mark.parametrize("password", ["planted-secret", "a:$<&\"'b\\c_d/e#f"])
def test_a_login_is_added_to_the_file_and_read_back(tmp_path: Path, password: str) -> None:
    file = secrets_file(tmp_path, '[other]\nuser = "me"\npassword = "mine"')
    assert keep_in_file('kitchen "e01"', Credentials("id", password), file) == file
    assert secrets(file).find('kitchen "e01"') == Credentials("id", password)
    assert secrets(file).find("other") == Credentials("me", "mine")
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.toml"]


def test_a_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "secrets.toml"
    keep_in_file("meter.lan", Credentials("id", PLANTED), file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert secrets(file).find("meter.lan") == Credentials("id", PLANTED)


def test_a_login_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    text = '["meter.lan"]\nuser = "me"\npassword = "mine"\n'
    file = secrets_file(tmp_path, text)
    with pytest.raises(ConfigError, match=r"\[meter.lan\] is there already"):
        keep_in_file("meter.lan", Credentials("id", PLANTED), file)
    assert file.read_text() == text


def test_nothing_is_added_to_a_file_that_others_may_read(tmp_path: Path) -> None:
    file = secrets_file(tmp_path, "", mode=0o644)
    with pytest.raises(ConfigError, match="others may read its passwords"):
        keep_in_file("meter.lan", Credentials("id", PLANTED), file)
    assert file.read_text() == ""


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"secrets\.toml cannot be"):
        keep_in_file("meter.lan", Credentials("id", PLANTED), tmp_path / "file" / "secrets.toml")


def test_the_password_store_keeps_a_login_once(locker: Locker) -> None:
    keep_in_keyring("meter.lan", Credentials("id", PLANTED))
    assert Secrets(file=Path("/nonexistent"), environment={}).find("meter.lan") == Credentials("id", PLANTED)
    with pytest.raises(ConfigError, match=r"meter\.lan is there already"):
        keep_in_keyring("meter.lan", Credentials("id", "other"))
    locker.is_locked = True
    with pytest.raises(FileError, match="the login cannot be kept: KeyringLocked") as error:
        keep_in_keyring("meter.lan", Credentials("id", PLANTED))
    assert PLANTED not in str(error.value)


def test_the_file_is_where_the_variable_says() -> None:
    assert default_secrets_file({"WATTRAIL_SECRETS": "/run/secrets/w"}) == Path("/run/secrets/w")
    assert default_secrets_file({}).name == "secrets.toml"


def test_no_text_of_a_login_shows_its_password() -> None:
    login = Credentials("admin", PLANTED)
    assert PLANTED not in f"{login} {login!r}"


@pytest.mark.parametrize("url", [f"openbeken://admin:{PLANTED}@meter", f"mqtt://u:{PLANTED}@b/t?device=json"])
def test_a_password_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UrlError, match="a URL holds no user and no password") as caught:
        open_source(url, secrets=no_secrets())
    assert PLANTED not in str(caught.value)


def found_in(*texts: object) -> bool:
    return any(PLANTED in text for text in map(str, texts)) or any(PLANTED in repr(text) for text in texts)


def test_a_planted_password_is_in_no_url_error_or_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    file = secrets_file(tmp_path, f'[gate]\nuser = "admin"\npassword = "{PLANTED}"\n')
    refused = b"HTTP/1.1 401 Unauthorized\n\n"

    async def story(scheme: str) -> WattrailError:
        async with (
            web_server(any=refused) as web,
            opened(f"{scheme}://127.0.0.1:{web.port}?login=gate", secrets=secrets(file)) as (source,),
        ):
            with pytest.raises(AccessDenied) as caught:
                await source.read()
            assert PLANTED in web.asked[0] or "Authorization" in web.heads[0]
            assert not found_in(source.url, source)
            return caught.value

    for scheme in ("openbeken", "tasmota"):
        error = run(story(scheme))
        assert not found_in(error, error.hint, error.__cause__, caplog.text)


def test_a_login_that_is_required_and_not_there_is_named(tmp_path: Path) -> None:
    stored = secrets(secrets_file(tmp_path, f'[house]\nuser = "meter"\npassword = "{PLANTED}"\n'))
    assert stored.required("house").user == "meter"
    with pytest.raises(ConfigError, match="no login 'attic' is stored"):
        stored.required("attic")


@NEEDS_BROKER
def test_a_brokers_password_is_used_and_shown_nowhere(
    tmp_path: Path, closed_broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    file = secrets_file(tmp_path, f'[house]\nuser = "meter"\npassword = "{PLANTED}"\n')
    url = f"mqtt://127.0.0.1:{closed_broker.port}/z/plug?device=json&energy=e&login=house&retained=use"

    async def story() -> None:
        async with publisher(closed_broker.port, username="meter", password=PLANTED) as publish:
            await publish("z/plug", '{"e":1.5}', retain=True)
        async with opened(url, secrets=secrets(file)) as (source,):
            reading = await source.read()
            assert reading.registers[0].count == 1500
            assert not found_in(source.url, source, reading)

    run(story())
    assert not found_in(caplog.text)


@NEEDS_BROKER
def test_a_wrong_password_is_reported_with_the_name_of_its_login(tmp_path: Path, closed_broker: Mosquitto) -> None:
    file = secrets_file(tmp_path, '[house]\nuser = "meter"\npassword = "wrong"\n')
    url = f"mqtt://127.0.0.1:{closed_broker.port}/z/plug?device=json&energy=e&login=house"

    async def story() -> None:
        async with opened(url, secrets=secrets(file)) as (source,):
            with pytest.raises(AccessDenied, match=r"refuses the login 'house' \(user 'meter'\)"):
                await asyncio.wait_for(source.read(), 60)

    run(story())
