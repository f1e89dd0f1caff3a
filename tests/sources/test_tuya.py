"""Our source reads our simulated meter with Tuya's stock firmware, through everything that such a device does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.sources.conftest import run
from wattrail.clock import ManualClock
from wattrail.energy_register import Direction, Freshness, Persistence
from wattrail.errors import AccessDenied, PortLost, PortOpenError, PortTimeout, UnexpectedReply, UrlError, WattrailError
from wattrail.sources import MeterSource, Secrets, check_source_url, is_polled, open_source
from wattrail.sources.recording import CaptureOfSource, open_replayed
from wattrail.sources.tuya import TuyaSource
from wattrail.twin.network.devices import tuya
from wattrail.twin.network.tuya import LOCAL_KEY, SimulatedTuya, TuyaServer, serve_tuya
from wattrail.units import Reading

VERSIONS = ("3.1", "3.3", "3.4", "3.5")
WRONG_KEY = "wrong-key-16-let"


def stored(key: str = LOCAL_KEY, user: str = "simulated00000000e01") -> Secrets:
    return Secrets(file=Path("/nonexistent"), environment={"WATTRAIL_LOGIN_E01": f"{user}:{key}"}, uses_keyring=False)


def device(version: str = "3.3", *, watts: float = 500.0, total_wh: int = 1000, **habits: bool) -> SimulatedTuya:
    made = tuya(ManualClock(), version=version, total_wh=total_wh, **habits)
    made.meter.set(volts=230.0, watts=watts)
    made.report()
    return made


def url(served: TuyaServer, options: str = "") -> str:
    return f"tuya://{served.place}?version={served.device.version}&board=pziot-e01&login=e01{options}"


@asynccontextmanager
async def read_from(
    of: SimulatedTuya, options: str = "&ask=0.05", *, secrets: Secrets | None = None
) -> AsyncIterator[tuple[TuyaServer, MeterSource]]:
    async with serve_tuya(of) as served:
        source = open_source(url(served, options), secrets=secrets or stored())
        try:
            yield served, source
        finally:
            await source.close()


def wh(reading: Reading) -> float:
    (count,) = reading.registers
    return float(count.register.milliwatt_hours(count.count)) / 1000


@pytest.mark.parametrize("version", VERSIONS)
def test_a_meter_is_read_in_every_version(version: str) -> None:
    async def story() -> None:
        async with read_from(device(version)) as (_, source):
            reading = await source.read()
            assert (reading.volts, reading.watts) == (pytest.approx(230, abs=0.5), 500.0)
            assert wh(reading) == 1000
            assert reading.registers[0].register.persistence is Persistence.UNKNOWN
            assert reading.freshness is Freshness.CACHED
            assert reading.simulated
            assert source.simulated
            assert source.reconnects == 0

    run(story())


@pytest.mark.parametrize("version", VERSIONS)
def test_what_changes_is_pushed_and_comes_as_a_reading(version: str) -> None:
    async def story() -> None:
        of = device(version)
        async with read_from(of, "&ask=0") as (served, source):
            await source.read()
            of.meter.set(watts=-800.0)
            served.report()
            reading = await source.read()
            assert (reading.watts, reading.freshness) == (-800.0, Freshness.PUSHED)
            assert reading.volts == pytest.approx(230, abs=0.5)

    run(story())


@pytest.mark.parametrize("version", ["3.1", "3.3"])
def test_a_repeated_answer_is_not_a_reading_and_ends_in_silence(version: str) -> None:
    async def story() -> None:
        of = device(version)
        of.ignores_update = True
        async with read_from(of, "&ask=0.05&silence=3&timeout=2") as (_, source):
            await source.read()
            with pytest.raises(PortTimeout, match="the device answers, and nothing has changed for 3 s"):
                await source.read()

    run(story())


def test_a_meter_that_repeats_itself_is_asked_to_measure() -> None:
    async def story() -> None:
        of = device()
        async with read_from(of) as (_, source):
            await source.read()
            of.meter.set(watts=700.0)  # and nothing is reported
            assert (await source.read()).watts == 700.0

    run(story())


def test_a_module_that_restarts_answers_zeros_which_are_not_readings() -> None:
    async def story() -> None:
        of = device()
        async with read_from(of) as (served, source):
            first = await source.read()
            of.restart_module()
            of.ignores_update = True
            served.hang_up()
            with pytest.raises(PortLost, match=r"the device closed the connection$"):
                await source.read()
            waiting = asyncio.create_task(source.read())
            while served.connections < 2:
                await asyncio.sleep(0)
            of.meter.set(watts=600.0)
            served.report()
            reading = await waiting
            assert reading.watts == 600.0
            assert wh(reading) == wh(first)
            assert source.reconnects == 1

    run(story())


def test_a_device_that_serves_another_client_is_said_to_be_busy_perhaps() -> None:
    async def story() -> None:
        of = device()
        async with read_from(of) as (served, source):
            await source.read()
            other = open_source(url(served), secrets=stored())
            with pytest.raises(PortLost, match=r"busy with another client, or the local key.*look alike") as error:
                await other.read()
            assert "end the app and other programs" in (error.value.hint or "")
            assert served.refused_clients == 1

    run(story())


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_a_wrong_key_is_never_said_to_be_one_for_sure(version: str) -> None:
    async def story() -> None:
        async with read_from(device(version), "&timeout=1", secrets=stored(WRONG_KEY)) as (_, source):
            with pytest.raises(WattrailError, match="look alike") as error:
                await source.read()
            assert WRONG_KEY not in f"{error.value} {error.value.hint}"

    run(story())


@pytest.mark.parametrize(("speaks", "asked"), [("3.5", "3.3"), ("3.3", "3.5"), ("3.4", "3.3"), ("3.3", "3.4")])
def test_another_version_ends_in_an_error_within_the_time_out(speaks: str, asked: str) -> None:
    async def story() -> None:
        async with serve_tuya(device(speaks)) as served:
            source = open_source(
                url(served, "&timeout=1").replace(f"version={speaks}", f"version={asked}"), secrets=stored()
            )
            with pytest.raises((PortLost, PortTimeout, UnexpectedReply), match="version="):
                await source.read()
            await source.close()

    run(story())


def test_a_silent_device_is_given_up_and_read_again_when_it_speaks() -> None:
    async def story() -> None:
        async with read_from(device("3.4"), "&timeout=1") as (served, source):
            served.is_silent = True
            with pytest.raises(PortTimeout, match=r"no answer within 1 s: it is busy"):
                await source.read()
            served.is_silent = False
            served.hang_up()
            while served._client is not None:
                await asyncio.sleep(0)
            assert (await source.read()).watts == 500.0

    run(story())


def test_a_session_that_waits_for_its_key_waits_without_work(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds, keep_up = [], TuyaSource._keep_up

    async def counted(source: TuyaSource, connection: object) -> None:
        rounds.append(connection)
        await keep_up(source, connection)  # type: ignore[arg-type]

    monkeypatch.setattr(TuyaSource, "_keep_up", counted)

    async def story() -> None:
        async with read_from(device("3.4"), "&timeout=1") as (served, source):
            served.is_silent = True
            with pytest.raises(PortTimeout):
                await source.read()

    run(story())
    assert len(rounds) < 5


def test_a_read_that_is_cancelled_ends_at_once() -> None:
    async def story() -> None:
        async with read_from(device(), "&ask=0") as (_, source):
            await source.read()
            waiting = asyncio.create_task(source.read())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting], timeout=3)
            assert waiting.cancelled()

    run(story())


def test_nobody_at_the_address_is_said_at_once() -> None:
    async def story() -> None:
        async with serve_tuya(device()) as served:
            nowhere = url(served)
        source = open_source(nowhere, secrets=stored())
        with pytest.raises(PortOpenError, match="cannot connect: connection refused"):
            await source.read()

    run(story())


@pytest.mark.parametrize("version", ["3.3", "3.4", "3.5"])
def test_a_device_that_wants_its_data_points_named_is_read(version: str) -> None:
    async def story() -> None:
        async with read_from(device(version, wants_points=True), "&ask=0") as (_, source):
            assert (await source.read()).watts == 500.0

    run(story())


def test_energy_of_a_plug_without_a_register_is_estimated_by_power() -> None:
    async def story() -> None:
        of, clock = device(is_plug=True), ManualClock()
        async with serve_tuya(of) as served:
            plain = url(served, "&ask=0").replace("board=pziot-e01", of.options)
            source = open_source(plain, secrets=stored(), clock=clock)
            reading = await source.read()
            assert (reading.watts, reading.is_estimated) == (500.0, True)
            clock.advance(36)
            of.meter.set(watts=100.0)
            served.report()
            reading = await source.read()
            shown = [(one.register.direction, one.count) for one in reading.registers]
            assert shown == [(Direction.IMPORT, 5000), (Direction.EXPORT, 0)]
            await source.close()

    run(story())


def test_what_it_says_is_kept_in_a_capture_without_its_key_and_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATTRAIL_LOGIN_E01", f"simulated00000000e01:{LOCAL_KEY}")

    async def story() -> None:
        of, capture = device("3.4"), tmp_path / "meter.jsonl"
        async with serve_tuya(of) as served:
            kept = CaptureOfSource(capture, url(served, "&ask=0"))
            first = await kept.source.read()
            of.meter.set(watts=600.0)
            served.report()
            await kept.source.read()
            await kept.source.close()
            kept.close()
        assert LOCAL_KEY not in capture.read_text()
        again = open_replayed(f"replay:{capture}")
        replayed = [await again.read(), await again.read()]
        await again.close()
        assert [reading.watts for reading in replayed] == [500.0, 600.0]
        assert replayed[0].registers == first.registers
        assert replayed[0].simulated
        assert json.loads(capture.read_text().splitlines()[0])["simulated"]

    run(story())


@pytest.mark.parametrize(
    ("secrets", "words"),
    [
        (Secrets.none(), "no local key is stored under the login 'e01'"),
        (stored("short"), "holds 5 characters, a local key has 16 printable ones"),
        (stored(user=""), "the device id is missing, and version 3.3 asks by it"),
    ],
)
def test_a_key_that_is_missing_or_none_is_refused_before_anybody_is_asked(secrets: Secrets, words: str) -> None:
    async def story() -> None:
        async with read_from(device(), secrets=secrets) as (served, source):
            with pytest.raises(AccessDenied, match=words) as error:
                await source.read()
            assert "wattrail meter key" in (error.value.hint or "") or "write id=" in (error.value.hint or "")
            assert served.connections == 0

    run(story())


def test_a_key_with_a_colon_may_stand_alone() -> None:
    async def story() -> None:
        of = device()
        of.local_key = "a:$<&\"'b-c_d/e+f"
        secrets = Secrets(
            file=Path("/nonexistent"), environment={"WATTRAIL_LOGIN_E01": of.local_key}, uses_keyring=False
        )
        async with read_from(of, f"&ask=0.05&id={of.device_id}", secrets=secrets) as (_, source):
            assert (await source.read()).watts == 500.0

    run(story())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("tuya://meter.lan?board=pziot-e01", "the option version= is missing: 3.1, 3.2, 3.3, 3.4, 3.5"),
        ("tuya://meter.lan?version=3.3", "one of board= and dps="),
        ("tuya://meter.lan?version=3.3&board=pziot-e01&dps=1:volts", "one of board= and dps="),
        ("tuya://meter.lan?version=3.3&board=no-such-board", "no board 'no-such-board' is known"),
        ("tuya://meter.lan?version=3.3&board=lspa9", "of board lspa9 no data point is known that measures"),
        ("tuya://meter.lan?version=3.3&dps=1:ohms", "option dps='1:ohms' does not fit: 'ohms' is not known"),
        ("tuya://meter.lan/x?version=3.3&board=pziot-e01", "nothing stands after the host but options"),
        ("tuya://meter.lan?version=3.3&board=pziot-e01&local_key=0123456789abcdef", "has no option 'local_key'"),
    ],
)
def test_a_url_that_makes_no_meter_is_refused(given: str, words: str) -> None:
    with pytest.raises(UrlError, match=words) as error:
        check_source_url(given)
    assert "0123456789abcdef" not in f"{error.value} {error.value.hint}"


def test_a_url_is_good_without_its_key_and_the_meter_keeps_the_cadence() -> None:
    text = "tuya://192.168.1.22?version=3.4&board=pziot-e01"
    assert check_source_url(text) == text
    assert not is_polled(text)
