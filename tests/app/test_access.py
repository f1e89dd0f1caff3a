"""The service on a network: refused while nobody could sign in, and served by TLS where a certificate is configured."""

from __future__ import annotations

import asyncio
import json
import ssl
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.web.access_rig import PASSWORD, Site, own_address
from tests.web.test_tls import made
from wattrail.app import ServicePlan, WebPlan, open_service, plan_service
from wattrail.app.config import parse_config
from wattrail.errors import ConfigError
from wattrail.gateway import GatewayPlan, MeterPlan

METER = MeterPlan(name="house", url="twin://pziot-e01?scenario=house&seed=7")


def planned(database: Path, **web: object) -> ServicePlan:
    return ServicePlan(gateway=GatewayPlan(meters=(METER,)), database=database, web=WebPlan(port=0, **web))  # type: ignore[arg-type]


async def started(plan: ServicePlan) -> str:
    """The address of the page of a service that starts and stops again, once it answers."""
    ready = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()
    async with open_service(plan, on_ready=lambda url: loop.call_soon_threadsafe(ready.set_result, url)) as service:
        await asyncio.wait_for(ready, 60)
        assert service.address is not None
        status = await asyncio.to_thread(status_of, service.address)
        return f"{status} {service.address}"


def status_of(address: str) -> int:
    place = urlsplit(address)
    host = own_address() if place.hostname not in {"127.0.0.1", "localhost"} else "127.0.0.1"
    with closing(HTTPConnection(host or "127.0.0.1", place.port, timeout=60)) as connection:
        connection.request("GET", "/api/v1/health")
        return connection.getresponse().status


def test_a_network_is_refused_while_nobody_could_sign_in(tmp_path: Path) -> None:
    opened: list[str] = []

    def opener(plan: MeterPlan, clock: object) -> object:
        opened.append(plan.name)
        raise AssertionError

    async def story() -> None:
        async with open_service(planned(tmp_path / "w.sqlite", host="0.0.0.0"), opener=opener):  # type: ignore[arg-type]
            raise AssertionError("it was served")

    with pytest.raises(
        ConfigError, match=r"not served at 0\.0\.0\.0, for nobody could sign in: .* has no user and"
    ) as caught:
        asyncio.run(story())
    assert "wattrail user add NAME --scope admin --database" in str(caught.value.hint)
    assert opened == []  # no meter was touched


def test_a_page_that_waits_lets_in_its_machine_then_the_first_user(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(tmp_path)
    plan = planned(site.database, host="0.0.0.0", waits_for_user=True)

    async def story() -> None:
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        async with open_service(plan, on_ready=lambda url: loop.call_soon_threadsafe(ready.set_result, url)):
            port = urlsplit(await asyncio.wait_for(ready, 60)).port or 0
            assert (await asyncio.to_thread(health_of, port))["waits_for_user"] is True
            status, problem = await asyncio.to_thread(signed_in, port, "anna")
            assert (status, problem["waits_for_user"]) == (401, True)
            assert "wattrail user add NAME" in problem["detail"]
            await asyncio.to_thread(site.user, "anna")
            assert (await asyncio.to_thread(health_of, port))["waits_for_user"] is False
            assert (await asyncio.to_thread(signed_in, port, "anna"))[0] == 200

    asyncio.run(story())
    assert f"nobody can sign in yet: {site.database} has no user and no token" in caplog.text
    assert f"wattrail user add NAME --scope admin --database {site.database}" in caplog.text


def health_of(port: int) -> Any:
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", "/api/v1/health")
        return json.load(connection.getresponse())


def signed_in(port: int, user: str) -> tuple[int, Any]:
    """Sign in from elsewhere: through a proxy, which is never this machine."""
    body = json.dumps({"user": user, "password": PASSWORD})
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        headers = {"content-type": "application/json", "via": "1.1 proxy", "sec-fetch-site": "same-origin"}
        connection.request("POST", "/api/v1/session", body, headers)
        answer = connection.getresponse()
        return answer.status, json.load(answer)


@pytest.mark.parametrize("who", ["a user", "a token", "an expired token"])
def test_a_network_is_served_once_somebody_can_sign_in(tmp_path: Path, who: str) -> None:
    site = Site(tmp_path)
    if who == "a user":
        site.user("anna")
    else:
        site.token("program", days=1 if who == "a token" else -1)
    if who == "an expired token":
        with pytest.raises(ConfigError, match="nobody could sign in"):
            asyncio.run(started(planned(site.database, host="0.0.0.0")))
        return
    answer = asyncio.run(started(planned(site.database, host="0.0.0.0")))
    assert answer.startswith("401 " if own_address() else "200 ")


def test_a_certificate_of_the_configuration_is_served(tmp_path: Path) -> None:
    files = made(tmp_path, "first")
    config = parse_config(
        f'[site]\nnames = ["meters.example.org"]\ncertificate = "{files.certificate}"\nkey = "{files.key}"\n'
        f'trusted_proxies = ["172.18.0.0/16"]\n[[meter]]\nname = "house"\nurl = "{METER.url}"\n',
        "wattrail.toml",
    )
    plan = plan_service(config, port=0, database=tmp_path / "w.sqlite")
    assert plan.web is not None
    assert (plan.web.names, plan.web.trusted_proxies) == (("meters.example.org",), ("172.18.0.0/16",))

    async def story() -> bytes:
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        async with open_service(plan, on_ready=lambda url: loop.call_soon_threadsafe(ready.set_result, url)):
            address = urlsplit(await asyncio.wait_for(ready, 60))
            assert address.scheme == "https"
            context = ssl.create_default_context(cafile=files.certificate)
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", address.port, ssl=context, server_hostname="localhost"
            )
            head = "Host: meters.example.org\r\nConnection: close"
            writer.write(f"GET /api/v1/health HTTP/1.1\r\n{head}\r\n\r\n".encode())
            answer = await asyncio.wait_for(reader.read(), 60)
            writer.close()
            return answer

    head, _, body = asyncio.run(story()).partition(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0]
    assert json.loads(body)["simulated"] is True


def test_a_wrong_certificate_starts_nothing(tmp_path: Path) -> None:
    first, second = made(tmp_path, "first"), made(tmp_path, "second")
    plan = planned(tmp_path / "w.sqlite", certificate=first.certificate, key=second.key)
    with pytest.raises(ConfigError, match="the key is that of another certificate"):
        asyncio.run(started(plan))
    assert not (tmp_path / "w.sqlite").exists()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('names = ["https://meters.example.org"]', "is not a host name: write it without scheme and port"),
        ('names = ["a b"]', "is not a host name"),
        ('trusted_proxies = ["proxy.lan"]', "'proxy.lan' is not an address or a network, such as 127.0.0.1"),
        ('certificate = "c.pem"', "TLS needs certificate and key: key is missing"),
        ('key = "c.key"', "TLS needs certificate and key: certificate is missing"),
    ],
)
def test_what_cannot_be_meant_is_an_error_of_the_file(line: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        parse_config(f"[site]\n{line}\n", "wattrail.toml")
    assert "wattrail.toml, line " in str(caught.value)
