"""Tasmota's messages, in the shapes of its documentation and of captures."""

from __future__ import annotations

import json

import pytest

from wattrail.energy_register import Direction, Freshness
from wattrail.errors import AccessDenied, UnexpectedReply
from wattrail.network_meters.decoded import Decoded
from wattrail.network_meters.tasmota import ExportRule, TasmotaPages, TasmotaTopics

THREE_PHASES = (
    '{"Time":"2026-11-28T12:00:00","ENERGY":{"TotalStartTime":"2026-01-01T00:00:00","Total":32.325,"Yesterday":12.416,'
    '"Today":13.192,"TodaySumImport":13.194,"TodaySumExport":0.002,"ExportActive":[8.196,0.000,0.012],'
    '"Period":[1,0,0],"Power":[176,232,-1],"Factor":[0.90,0.77,0.61],"Frequency":50,"Voltage":[234,235,235],'
    '"Current":[1.415,0.039,0.035]}}'
)
ONE_PHASE = (
    '{"Time":"2026-11-28T12:00:00","ENERGY":{"TotalStartTime":"2026-01-01T00:00:00","Total":1234.567,"Yesterday":3.2,'
    '"Today":1.1,"Period":0,"Power":230,"ApparentPower":240,"ReactivePower":60,"Factor":0.96,"Frequency":50.0,'
    '"Voltage":230,"Current":1.043}}'
)
STATUS1 = (
    '{"StatusPRM":{"Baudrate":115200,"RestartReason":"%s","Uptime":"0T00:44:12","StartupUTC":"2026-11-28T11:17:31",'
    '"BootCount":171,"BCResetTime":"2020-06-27T14:58:26","SaveCount":1164}}'
)
STATE = '{"Time":"2026-11-28T12:00:00","Uptime":"0T00:04:49","UptimeSec":289,"MqttCount":1,"Wifi":{"Signal":-58}}'
CONFIG = {
    "ip": "192.0.2.7", "dn": "Meter", "hn": "meter-0001", "mac": "A4C138000001", "md": "Generic",
    "ofln": "Weg", "onln": "Da", "sw": "14.4.1", "t": "meter", "ft": "home/%topic%/%prefix%/",
    "tp": ["cmnd", "stat", "tele"], "ver": 1,
}  # fmt: skip


def topics(name: str = "meter", *, may_ask: bool = False, **options: object) -> TasmotaTopics:
    return TasmotaTopics("mqtt://broker/meter", name, may_ask=may_ask, **options)  # type: ignore[arg-type]


def say(link: TasmotaTopics, topic: str, payload: str, *, is_retained: bool = False, at: float = 0.0) -> Decoded | None:
    return link.receive(topic, payload.encode(), is_retained=is_retained, at=at)


def sensor(link: TasmotaTopics, payload: str) -> Decoded:
    said = say(link, "tele/meter/SENSOR", payload)
    assert said is not None
    return said


def energies(said: Decoded) -> dict[Direction, float]:
    return {one.register.direction: float(one.register.milliwatt_hours(one.count)) for one in said.registers}


def test_one_phase_gives_quantities_and_a_total() -> None:
    said = sensor(topics(), ONE_PHASE)
    assert (said.sample.volts, said.sample.amps, said.sample.watts) == (230.0, 1.043, 230.0)
    assert (said.sample.hertz, said.sample.power_factor) == (50.0, 0.96)
    assert energies(said) == {Direction.SUM: 1_234_567_000}
    assert said.evidence.start_stamp == "2026-01-01T00:00:00"
    assert said.freshness is Freshness.PUSHED


def test_three_phases_are_added_up() -> None:
    said = sensor(topics(export=ExportRule.SUBTRACTED), THREE_PHASES)
    assert said.sample.watts == 407.0
    assert said.sample.volts == pytest.approx(234.667, abs=0.001)
    assert said.sample.amps == pytest.approx(1.489)
    assert said.sample.power_factor is None
    assert energies(said) == {Direction.NET: 32_325_000, Direction.EXPORT: 8_208_000}


def test_totals_by_phase_are_added_up() -> None:
    said = sensor(topics(), ONE_PHASE.replace('"Total":1234.567', '"Total":[1.5,2.25,3]'))
    assert energies(said) == {Direction.SUM: 6_750_000}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (ExportRule.SEPARATE, {Direction.IMPORT: 32_325_000, Direction.EXPORT: 8_208_000}),
        (ExportRule.NONE, {Direction.IMPORT: 32_325_000}),
        (ExportRule.ADDED, {Direction.SUM: 32_325_000}),
    ],
)
def test_what_the_driver_does_with_export_decides(rule: ExportRule, expected: dict[Direction, float]) -> None:
    assert energies(sensor(topics(export=rule), THREE_PHASES)) == expected


def test_export_is_not_guessed() -> None:
    with pytest.raises(UnexpectedReply, match="whether Total contains the export depends on the driver") as caught:
        sensor(topics(), THREE_PHASES)
    assert "export=subtracted (ADE7953, ADE7880: Shelly EM, 3EM) or export=separate" in (caught.value.hint or "")


def test_a_rule_without_its_register_is_refused() -> None:
    with pytest.raises(UnexpectedReply, match=r"export=separate needs ENERGY\.ExportActive, and there is none"):
        sensor(topics(export=ExportRule.SEPARATE), ONE_PHASE)


def test_the_false_zero_of_export_after_lost_data_is_not_a_reading() -> None:
    lost = THREE_PHASES.replace("[8.196,0.000,0.012]", "[0,0,0]").replace("[234,235,235]", "[0,0,0]")
    assert energies(sensor(topics(export=ExportRule.SEPARATE), lost)) == {}
    assert energies(sensor(topics(export=ExportRule.SUBTRACTED), lost)) == {}
    assert energies(sensor(topics(export=ExportRule.NONE), lost)) == {Direction.IMPORT: 32_325_000}


def test_before_the_clock_is_set_there_is_power_and_no_total() -> None:
    said = sensor(topics(), ONE_PHASE.replace("2026-11-28T12", "1970-01-01T00"))
    assert (said.sample.watts, said.registers) == (230.0, ())


def test_a_fall_at_midnight_is_within_the_slack() -> None:
    before, after = (
        sensor(topics(), ONE_PHASE.replace("1234.567", total)).registers[0] for total in ("44.79066", "44.79013")
    )
    assert 0 < before.count - after.count <= before.register.slack


def answer(link: TasmotaTopics, *, reason: str = "Power On", uptime: int = 289) -> Decoded:
    """What a meter says when it is asked for everything."""
    say(link, "stat/meter/STATUS1", STATUS1 % reason)
    say(link, "stat/meter/STATUS2", '{"StatusFWR":{"Version":"14.4.1(tasmota)"}}')
    say(link, "stat/meter/STATUS11", f'{{"StatusSTS":{STATE.replace("289", str(uptime))}}}')
    said = say(link, "stat/meter/STATUS8", f'{{"StatusSNS":{ONE_PHASE}}}')
    assert said is not None
    return said


def test_answers_carry_the_evidence_of_a_boot() -> None:
    said = answer(topics(may_ask=True))
    assert energies(said) == {Direction.SUM: 1_234_567_000}
    assert said.freshness is Freshness.POLLED
    assert (said.evidence.boot_count, said.evidence.uptime_s) == (171, 289)
    assert (said.evidence.reset_reason, said.evidence.is_power_on) == ("Power On", True)
    assert said.evidence.revision == "14.4.1(tasmota)"
    assert said.quality.signal_dbm == -58


def test_a_soft_restart_is_not_a_power_on() -> None:
    assert answer(topics(may_ask=True), reason="Software/System restart").evidence.is_power_on is False
    link = topics()
    say(link, "tele/meter/INFO3", '{"Info3":{"RestartReason":"Software/System restart","BootCount":172}}')
    assert sensor(link, ONE_PHASE).evidence.is_power_on is False


def test_an_uptime_is_used_once_later_it_would_look_like_a_restart() -> None:
    link = topics(may_ask=True)
    assert answer(link).evidence.uptime_s == 289
    pushed = sensor(link, ONE_PHASE)
    assert (pushed.evidence.uptime_s, pushed.evidence.boot_count) == (None, 171)
    assert energies(pushed) == {Direction.SUM: 1_234_567_000}


def test_telemetry_gives_its_uptime_to_whoever_only_listens() -> None:
    link = topics()
    say(link, "tele/meter/STATE", STATE)
    assert sensor(link, ONE_PHASE).evidence.uptime_s == 289


def test_after_a_new_connection_a_total_waits_for_boot_evidence() -> None:
    link = topics(may_ask=True)
    answer(link)
    online = say(link, "tele/meter/LWT", "Online", is_retained=True)
    assert online is not None
    assert online.is_online is True
    early = sensor(link, ONE_PHASE)
    assert (early.registers, early.sample.watts) == ((), 230.0)
    assert early.evidence.revision == "14.4.1(tasmota)"  # a revision that comes and goes would begin an epoch
    assert answer(link, uptime=12).evidence.uptime_s == 12


def test_topics_come_from_discovery_where_a_mac_is_named() -> None:
    link = topics("A4C138000001", may_ask=True)
    assert link.filters() == ("tasmota/discovery/A4C138000001/config",)
    assert link.commands() == ()
    say(link, "tasmota/discovery/A4C138000001/config", json.dumps(CONFIG), is_retained=True)
    assert "home/meter/tele/SENSOR" in link.filters()
    assert link.commands()[-1].topic == "home/meter/cmnd/Status"
    said = say(link, "home/meter/tele/SENSOR", ONE_PHASE)
    assert said is not None
    online = say(link, "home/meter/tele/LWT", "Da", is_retained=True)
    assert online is not None
    assert online.is_online is True


@pytest.mark.parametrize("change", [{"tp": "x"}, {"t": 5}, {"ft": "#"}, {"tp": ["a"]}])
def test_a_discovery_that_makes_no_topic_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(UnexpectedReply, match="expected t, ft and tp of Tasmota's discovery"):
        say(topics("A4C138000001"), "tasmota/discovery/A4C138000001/config", json.dumps({**CONFIG, **change}))


def test_an_answer_that_a_broker_kept_is_not_an_answer() -> None:
    kept = f'{{"StatusSNS":{ONE_PHASE}}}'
    assert say(topics(may_ask=True), "stat/meter/STATUS8", kept, is_retained=True) is None


def http(body: str, status: int = 200, **options: object) -> Decoded:
    link = TasmotaPages("tasmota://meter", **options)  # type: ignore[arg-type]
    link.begin()
    assert link.next_request() == "/cm?cmnd=Status%200"
    link.receive(status, body.encode())
    assert link.next_request() is None
    return link.finish()


def test_one_request_gives_everything() -> None:
    prm, firmware = (STATUS1 % "Power On")[1:-1], '"StatusFWR":{"Version":"14.4.1(tasmota)"}'
    said = http(f'{{"StatusSNS":{ONE_PHASE},{prm},{firmware},"StatusSTS":{STATE}}}')
    assert energies(said) == {Direction.SUM: 1_234_567_000}
    assert (said.evidence.boot_count, said.evidence.uptime_s, said.evidence.is_power_on) == (171, 289, True)
    assert said.evidence.start_stamp == "2026-01-01T00:00:00"


def test_a_wrong_password_is_reported_as_one() -> None:
    with pytest.raises(AccessDenied, match="the device refuses the user or the password"):
        http('{"WARNING":"Need user=<username>&password=<password>"}')


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"StatusSNS":{"Time":"2026-11-28T12:00:00"}}', "expected ENERGY, got none: this device measures no energy"),
        ('{"StatusFWR":{"SDK":"obk"}}', "this is OpenBeken, not Tasmota"),
        (f'{{"StatusSNS":{ONE_PHASE.replace("Total", "Sum")}}}', r"expected ENERGY\.Total, got SumStartTime"),
        ("<html>", "expected JSON"),
        ("[]", "expected ENERGY, got none"),
    ],
)
def test_an_answer_that_is_not_tasmotas_says_what_it_is(body: str, message: str) -> None:
    with pytest.raises(UnexpectedReply, match=message):
        http(body)


def test_a_device_without_any_total_shows_its_power_and_is_known_by_that() -> None:
    bare = '{"Time":"2026-11-28T12:00:00","ENERGY":{"Power":42,"Voltage":231,"Current":0.2}}'
    said = sensor(topics(), bare)
    assert (said.sample.watts, said.registers, said.is_power_only) == (42.0, (), True)
    kept = say(topics(), "tele/meter/SENSOR", bare, is_retained=True)
    assert kept is not None
    assert not kept.is_power_only
    assert not sensor(topics(), ONE_PHASE).is_power_only


def test_a_total_that_is_missing_beside_that_of_today_is_an_error() -> None:
    with pytest.raises(UnexpectedReply, match=r"expected ENERGY\.Total, got Power, Today"):
        sensor(topics(), '{"Time":"2026-11-28T12:00:00","ENERGY":{"Power":42,"Today":1.5}}')
