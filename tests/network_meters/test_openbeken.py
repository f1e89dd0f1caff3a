"""OpenBeken's answers and topics, in the shapes its firmware prints."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import pytest

from wattrail.energy_register import Direction, Freshness, Persistence
from wattrail.errors import UnexpectedReply
from wattrail.network_meters import openbeken
from wattrail.network_meters.decoded import Decoded, MqttCommand
from wattrail.network_meters.openbeken import OpenBekenPages, OpenBekenTopics
from wattrail.units import NO_EVIDENCE

SENSORS = (
    '{"StatusSNS":{"Time":"2026-11-28T12:00:00","ENERGY":{"Power": 104.250000,"ApparentPower": 115.500000,'
    '"ReactivePower": 49.700000,"Factor":0.902597,"Voltage":231.000000,"Current":0.500000,"Frequency":%s,'
    '"ConsumptionTotal":%s,"Yesterday": 1200.000000,"ConsumptionLastHour":104.000000},'
    '"ESP32":{"Temperature":41.5},"TempUnit":"C"}}'
)
REST = (
    '"StatusFWR":{"Version":"OpenBK7231N_1.18.230","SDK":"obk","Hardware":"BK7231N"},'
    '"StatusPRM":{"RestartReason":"HardwareWatchdog","BootCount":22},'
    '"StatusSTS":{"Time":"2026-11-28T12:00:00","UptimeSec":%d,"Wifi":{"RSSI":80,"Signal":-60}}}'
)
INFO = b'{"uptime_s":5000,"build":"Built on Nov 1 2026","mac":"A4C138000001","flags":"%d","chipset":"BK7231N"}'
TABLE = (
    "<hr><table style='width:100%%'>"
    "<tr><td><b>Frequency</b></td><td style='text-align: right;'>50.02</td><td>Hz</td>"
    "<tr><td><b>Voltage</b></td><td style='text-align: right;'>%s</td><td>V</td></tr>"
    "<tr><td><b>Current</b></td><td style='text-align: right;'>1.500</td><td>A</td></tr>"
    "<tr><td><b>Power</b></td><td style='text-align: right;'>%s</td><td>W</td></tr>"
    "<tr><td><b>Energy Total</b></td><td style='text-align: right;'>%s</td><td>kWh</td></tr></table>"
)
REASON = "<h5>Energy Clear Date: 2026-01-05 10:00:00<br></h5><h5>Reboot reason: %d - %s</h5>"


def status(total: str = "1234.567890", *, uptime: int = 5000, hertz: str = "50.020000") -> bytes:
    return (SENSORS % (hertz, total)).removesuffix("}").encode() + b"," + (REST % uptime).encode()


def page(*tables: tuple[str, str, str], reason: tuple[int, str] = (1, "Rbt")) -> bytes:
    return ("".join(TABLE % table for table in tables or [("231.0", "104.25", "1.235")]) + REASON % reason).encode()


def poll(link: OpenBekenPages, answers: Mapping[str, bytes]) -> tuple[list[str], Decoded]:
    """One poll with these answers; a page that is not among them must not be asked for."""
    link.begin()
    asked = []
    while (target := link.next_request()) is not None:
        asked.append(target)
        link.receive(200, answers[target])
    return asked, link.finish()


STATUS, INDEX, API = "/cm?cmnd=Status%200", "/index?state=1", "/api/info"


def answers(status_body: bytes, *, index: bytes = b"", flags: int = 1 << 25) -> dict[str, bytes]:
    return {STATUS: status_body, INDEX: index or page(), API: INFO % flags}


def test_a_poll_gives_energy_quantities_evidence_and_the_signal() -> None:
    _, said = poll(OpenBekenPages("openbeken://meter"), answers(status()))
    assert (said.sample.volts, said.sample.amps, said.sample.watts) == (231.0, 0.5, 104.25)
    (total,) = said.registers
    assert total.register.direction is Direction.SUM
    assert total.register.persistence is Persistence.SAVED
    assert total.register.milliwatt_hours(total.count) == Fraction(123_456_789, 100)
    assert said.evidence.uptime_s == 5000
    assert said.evidence.start_stamp == "2026-01-05 10:00:00"
    assert (said.evidence.reset_reason, said.evidence.is_power_on) == ("1 - Rbt", False)
    assert said.evidence.revision == "OpenBK7231N_1.18.230"
    assert said.quality.signal_dbm == -60
    assert said.quality.device_celsius == 41.5


def test_constants_that_look_like_boot_evidence_are_left_alone() -> None:
    _, said = poll(OpenBekenPages("openbeken://meter"), answers(status()))
    assert said.evidence.boot_count is None
    assert "Watchdog" not in said.evidence.reset_reason


def test_an_infinite_frequency_costs_only_the_frequency() -> None:
    _, said = poll(OpenBekenPages("openbeken://meter"), answers(status(hertz="inf")))
    assert said.sample.hertz is None
    assert said.sample.watts == 104.25


def test_later_polls_ask_for_the_state_alone() -> None:
    link = OpenBekenPages("openbeken://meter")
    first, _ = poll(link, answers(status()))
    second, _ = poll(link, answers(status("1235.000000", uptime=5010)))
    assert (first, second) == ([STATUS, API, INDEX], [STATUS])


def test_after_a_boot_the_page_is_read_for_its_reason() -> None:
    link = OpenBekenPages("openbeken://meter")
    poll(link, answers(status("1234.567890")))
    asked, said = poll(link, answers(status("1230.000000", uptime=8), index=page(reason=(0, "Pwr"))))
    assert INDEX in asked
    assert (said.evidence.reset_reason, said.evidence.is_power_on) == ("0 - Pwr", True)


def test_a_page_that_did_not_come_after_a_boot_is_asked_for_again() -> None:
    link = OpenBekenPages("openbeken://meter")
    poll(link, answers(status("1234.567890")))
    link.begin()
    link.next_request()
    link.receive(200, status("1230.000000", uptime=8))  # and then the connection breaks
    asked, said = poll(link, answers(status("1230.100000", uptime=18), index=page(reason=(0, "Pwr"))))
    assert INDEX in asked
    assert said.evidence.is_power_on is True


def test_after_a_reset_of_the_total_the_clear_date_is_read_again() -> None:
    link = OpenBekenPages("openbeken://meter")
    poll(link, answers(status("1234.567890")))
    cleared = page().replace(b"2026-01-05 10:00:00", b"2026-11-28 12:00:07")
    _, said = poll(link, answers(status("0.000000", uptime=5010), index=cleared))
    assert said.evidence.start_stamp == "2026-11-28 12:00:07"


def test_power_without_a_sign_is_reported_with_the_flag_that_fixes_it() -> None:
    _, said = poll(OpenBekenPages("openbeken://meter"), answers(status(), flags=-2147483648))
    assert said.advice == ("power has no sign: export shows as 0 W and is booked as import; on the meter, set flag 25",)
    _, said = poll(OpenBekenPages("openbeken://meter"), answers(status(), flags=1 << 25))
    assert said.advice == ()


def test_safe_mode_has_no_api_and_is_read_all_the_same() -> None:
    _, said = poll(OpenBekenPages("openbeken://meter"), {**answers(status()), API: b"<h1>Not found</h1>"})
    assert said.advice == ()
    assert said.registers


def test_the_second_meter_stands_on_the_page() -> None:
    two = page(("231.0", "104.25", "1.235"), ("229.5", "-300.00", "7.042"))
    _, said = poll(OpenBekenPages("openbeken://meter", meter=2), answers(status(), index=two))
    assert (said.sample.volts, said.sample.watts) == (229.5, -300.0)
    assert said.registers[0].register.milliwatt_hours(said.registers[0].count) == 7_042_000


def test_a_second_meter_that_is_not_there_is_said() -> None:
    with pytest.raises(UnexpectedReply, match="expected the tables of two meters, got one"):
        poll(OpenBekenPages("openbeken://meter", meter=2), answers(status()))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (status().replace(b'"SDK":"obk"', b'"SDK":"2.2.2"'), r"StatusFWR\.SDK is '2\.2\.2', expected 'obk'"),
        (status().replace(b'"ENERGY"', b'"SWITCH"'), r"expected StatusSNS\.ENERGY, got none: no metering driver runs"),
        (status().replace(b"1234.567890", b'"1234.5"'), "ConsumptionTotal is '1234.5', expected a number"),
        (status().replace(b"ConsumptionTotal", b"Total"), "path 'ConsumptionTotal' matches nothing"),
        (status()[:200], "expected JSON"),
        (b"", "expected JSON"),
    ],
)
def test_an_answer_that_is_not_openbekens_says_what_it_is(body: bytes, message: str) -> None:
    with pytest.raises(UnexpectedReply, match=message):
        poll(OpenBekenPages("openbeken://meter"), answers(body))


def test_a_status_without_meaning_is_an_error_with_its_text() -> None:
    link = OpenBekenPages("openbeken://meter")
    link.begin()
    link.next_request()
    with pytest.raises(UnexpectedReply, match=r"HTTP status 400, expected 200: '\{\"error\":400\}'"):
        link.receive(400, b'{"error":400}')


def topics(**options: object) -> OpenBekenTopics:
    return OpenBekenTopics("mqtt://broker/obk1", "obk1", **options)  # type: ignore[arg-type]


def say(
    link: OpenBekenTopics, topic: str, payload: str, *, is_retained: bool = False, at: float = 0.0
) -> Decoded | None:
    return link.receive(topic, payload.encode(), is_retained=is_retained, at=at)


def answer(link: OpenBekenTopics, *, uptime: int = 77) -> Decoded:
    """What a meter says when it is asked for everything."""
    say(link, "stat/obk1/STATUS2", '{"StatusFWR":{"Version":"OpenBK7231N_1.18.230","SDK":"obk"}}')
    say(link, "stat/obk1/STATUS11", f'{{"StatusSTS":{{"UptimeSec":{uptime},"Wifi":{{"Signal":-71}}}}}}')
    said = say(link, "stat/obk1/STATUS8", SENSORS % ("50.000000", "1234.567890"))
    assert said is not None
    return said


def test_over_mqtt_energy_comes_from_the_answer_in_watt_hours() -> None:
    link = topics()
    assert [command for command in link.commands() if command.payload == "8"] == [MqttCommand("cmnd/obk1/Status", "8")]
    said = answer(link)
    assert said.registers[0].register.milliwatt_hours(said.registers[0].count) == Fraction(123_456_789, 100)
    assert (said.evidence.uptime_s, said.evidence.revision) == (77, "OpenBK7231N_1.18.230")
    assert said.quality.signal_dbm == -71
    assert said.freshness is Freshness.POLLED


def test_http_and_mqtt_give_the_same_register() -> None:
    _, polled = poll(OpenBekenPages("openbeken://meter"), answers(status()))
    assert answer(topics()).registers == polled.registers


def test_a_published_power_is_a_reading_without_a_register() -> None:
    link = topics()
    assert say(link, "obk1/voltage/get", "231.0") is None
    said = say(link, "obk1/power/get", "-104.25")
    assert said is not None
    assert (said.sample.watts, said.sample.volts, said.registers) == (-104.25, 231.0, ())
    assert said.freshness is Freshness.PUSHED


def test_whoever_only_listens_takes_the_published_total() -> None:
    link = topics(may_ask=False, unit="kWh")
    assert link.commands() == ()
    said = say(link, "obk1/energycounter/get", "12.345")
    assert said is not None
    assert said.registers[0].register.milliwatt_hours(said.registers[0].count) == 12_345_000


def test_a_client_id_may_have_a_slash_in_it() -> None:
    link = OpenBekenTopics("mqtt://broker/home/obk1", "home/obk1", may_ask=False)
    said = say(link, "home/obk1/energycounter/get", "12.345")
    assert said is not None
    assert said.registers[0].register.milliwatt_hours(said.registers[0].count) == 12_345
    online = say(link, "home/obk1/connected", "online")
    assert online is not None
    assert online.is_online


def test_the_total_is_found_with_flag_50_as_well() -> None:
    said = say(topics(may_ask=False), "obk1/energycounter", "12.345")
    assert said is not None
    assert said.registers[0].register.milliwatt_hours(said.registers[0].count) == 12_345


def test_the_second_meter_has_topics_of_its_own() -> None:
    link = topics(meter=2)
    assert say(link, "obk1/energycounter/get", "12.345") is None
    say(link, "obk1/power_b/get", "55.00")
    said = say(link, "obk1/energycounter_b/get", "99.000")
    assert said is not None
    assert said.sample.watts == 55.0
    assert said.registers[0].register.milliwatt_hours(said.registers[0].count) == 99_000


def test_a_total_waits_for_what_the_meter_says_of_its_boot() -> None:
    link = topics()
    early = say(link, "stat/obk1/STATUS8", SENSORS % ("50.000000", "1234.567890"))
    assert early is not None
    assert (early.registers, early.sample.watts) == ((), 104.25)
    assert answer(link).registers


def test_a_new_connection_asks_for_the_boot_again_and_keeps_the_firmware() -> None:
    link = topics()
    answer(link)
    online = say(link, "obk1/connected", "online", is_retained=True)
    assert online is not None
    assert online.is_online is True
    early = say(link, "stat/obk1/STATUS8", SENSORS % ("50.000000", "1230.000000"))
    assert early is not None
    assert (early.registers, early.evidence.uptime_s) == ((), None)
    assert early.evidence.revision == "OpenBK7231N_1.18.230"  # one that comes and goes would begin an epoch
    assert answer(link, uptime=5).evidence.uptime_s == 5


def test_an_uptime_is_used_once_later_it_would_look_like_a_restart() -> None:
    link = topics(may_ask=False)
    say(link, "obk1/uptime", "500")
    power = say(link, "obk1/power/get", "5.00")
    first, second = (say(link, "obk1/energycounter/get", "12.345") for _ in range(2))
    assert power is not None
    assert first is not None
    assert second is not None
    assert [one.evidence.uptime_s for one in (power, first, second)] == [None, 500, None]


def test_an_uptime_says_how_old_it_is_when_its_total_comes() -> None:
    link = topics(may_ask=False)
    say(link, "obk1/uptime", "500", at=10.0)
    said = say(link, "obk1/energycounter/get", "12.345", at=52.5)
    assert said is not None
    assert (said.evidence.uptime_s, said.evidence.uptime_age_s) == (500, 42.5)
    say(link, "obk1/uptime", "500", at=60.0, is_retained=True)  # flag 7: of unknown age
    said = say(link, "obk1/energycounter/get", "12.345", at=60.5)
    assert said is not None
    assert (said.evidence.uptime_s, said.evidence.uptime_age_s) == (None, 0.0)


def test_a_retained_value_says_that_it_is_one() -> None:
    said = say(topics(may_ask=False), "obk1/energycounter/get", "12.345", is_retained=True)
    assert said is not None
    assert said.freshness is Freshness.RETAINED


def test_an_answer_that_a_broker_kept_is_not_an_answer() -> None:
    assert say(topics(), "stat/obk1/STATUS8", SENSORS % ("50.0", "1.0"), is_retained=True) is None


def test_a_value_that_is_not_a_number_names_its_topic() -> None:
    with pytest.raises(UnexpectedReply, match="topic obk1/power/get: expected a number, got 'on'"):
        say(topics(), "obk1/power/get", "on")


def test_the_devices_own_questions_are_passed_over() -> None:
    assert say(topics(), "obk1/power/get", "") is None


@pytest.mark.parametrize(
    ("words", "is_power_on"),
    [
        ("0 - Pwr", True),
        ("1 - Rbt", False),
        ("2 - Wdt", False),
        ("1 - ESP_RST_POWERON", True),
        ("0 - ESP_RST_UNKNOWN", None),
        ("3 - ESP_RST_SW", False),
        ("POWER_ON", True),
    ],
)
def test_the_reboot_reason_is_read_by_its_words(words: str, is_power_on: bool | None) -> None:
    evidence = openbeken._with_page(NO_EVIDENCE, f"<h5>Reboot reason: {words}</h5>")
    assert (evidence.reset_reason, evidence.is_power_on) == (words, is_power_on)


def test_a_clock_that_was_never_set_dates_no_reset() -> None:
    page = "<h5>Energy Clear Date: (not set)<br></h5>"
    assert openbeken._with_page(NO_EVIDENCE, page).start_stamp == ""
    link = topics(may_ask=False)
    say(link, "obk1/energycounter_clear_date/get", "0000-00-00T00:00+00:00")
    said = say(link, "obk1/energycounter/get", "12.345")
    assert said is not None
    assert said.evidence.start_stamp == ""
