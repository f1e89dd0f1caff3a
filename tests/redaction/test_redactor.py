"""What says where somebody lives, or opens a device, leaves no text that is handed on: planted and looked for."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattrail.redaction import Private, PrivateKind, Redactor, leaks

CAPTURES = Path(__file__).parents[1] / "captures"

PLANTED = {
    "ssid": ("Barn 7 Müller", PrivateKind.NETWORK),
    "password": ("correct/horse+battery", PrivateKind.KEY),
    "local_key": ("7f3kPq9ZtX2mW8bd", PrivateKind.KEY),
    "authkey": ("sOWvq0x8mJ4kPz1d", PrivateKind.KEY),
    "token": ("wt_5fK3jd93kdlsPQ02mdkz", PrivateKind.KEY),
    "ip": ("84.23.117.9", PrivateKind.ADDRESS),
    "ipaddr": ("2001:db8:0:7::2f", PrivateKind.ADDRESS),
    "mac": ("7C:F6:66:1A:2B:3C", PrivateKind.HARDWARE),
    "host": ("annas-nas.fritz.box", PrivateKind.HOST),
    "user": ("anna.müller", PrivateKind.USER),
    "serial": ("A10K5X2M", PrivateKind.SERIAL),
    "latitude": ("52.520812", PrivateKind.PLACE),
    "longitude": ("13.409401", PrivateKind.PLACE),
}

WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in capitals": str.upper,
    "backwards": lambda text: text[::-1],
    "as hex": lambda text: text.encode().hex(),
    "as hex in capitals with blanks": lambda text: text.encode().hex(" ").upper(),
    "as an array of C": lambda text: ", ".join(f"0x{byte:02x}" for byte in text.encode()),
    "as bytes of Python": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "as hex of reversed bytes": lambda text: text.encode()[::-1].hex(),
    "as base64": lambda text: base64.b64encode(text.encode()).decode(),
    "as base64 within more": lambda text: base64.b64encode(f"user:{text};x".encode()).decode(),
    "as base64 for URLs": lambda text: base64.urlsafe_b64encode(f"~~{text}?".encode()).decode(),
    "as base64 over lines": lambda text: base64.encodebytes(f"{'x' * 50}{text}".encode()).decode(),
    "as base64 backwards": lambda text: base64.b64encode(text.encode()[::-1]).decode(),
    "in a URL": lambda text: quote(text, safe=""),
    "in JSON": lambda text: json.dumps(text),
    "in JSON within JSON": lambda text: json.dumps(json.dumps(text)),
    "in HTML": lambda text: "".join(f"&#{ord(sign)};" for sign in text),
    "over two lines": lambda text: f"{text[: len(text) // 2]}\n    {text[len(text) // 2 :]}",
    "over two strings": lambda text: f'{text[:3]}" + "{text[3:]}',
    "hex over two lines": lambda text: f"{text.encode().hex()[:7]}\n{text.encode().hex()[7:]}",
}


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("name", PLANTED)
def test_a_value_goes_in_whatever_way_it_is_written(name: str, written: str) -> None:
    value, _ = PLANTED[name]
    redactor = Redactor()
    redactor.learn(f'"{name}": "{value}"')
    hidden = redactor.redact(f"before {WRITTEN[written](value)} after")
    assert leaks(hidden, redactor.values) == ()
    assert WRITTEN[written](value) not in hidden
    assert hidden.startswith("before")


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("name", PLANTED)
def test_the_second_pass_finds_what_was_not_removed(name: str, written: str) -> None:
    value, kind = PLANTED[name]
    found = leaks(f"before {WRITTEN[written](value)} after", [Private(kind, value)])
    assert {leak.kind for leak in found} == {kind}


NAMED_AS = (
    '"{name}": "{value}"', "{name} = '{value}'", "mqtt_{name}={value}", "- {name}: {value}", "wifi.{name}:{value}",
    "Settings: {name}={value}; done",
)  # fmt: skip


@pytest.mark.parametrize("line", NAMED_AS)
@pytest.mark.parametrize("name", ["ssid", "local_key", "authkey", "token", "serial", "latitude", "host"])
def test_a_value_is_known_by_its_name(name: str, line: str) -> None:
    value = PLANTED[name][0].replace(" Müller", "").replace(" ", "")
    hidden = Redactor().redact(line.format(name=name, value=value))
    assert value not in hidden
    assert f"<{PLANTED[name][1]} 1>" in hidden


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("asked 84.23.117.9:6668", "asked <address 1>:6668"),
        ("my address is 84.23.xx.xx", "my address is <address 1>"),
        ("my address is 84.23.***.***", "my address is <address 1>"),
        ("fe80::7ef6:66ff:fe1a:2b3c%eth0", "<address 1>%eth0"),
        ("at 7C-F6-66-1A-2B-3C", "at <hardware 1>"),
        ("at 7cf6.661a.2b3c", "at <hardware 1>"),
        ("at 7CF6661A2B3C", "at <hardware 1>"),
        ("OpenBK7231N_661A2B3C joined", "OpenBK7231N_<hardware 1> joined"),
        ("tasmota_1A2B3C/tele", "tasmota_<hardware 1>/tele"),
        ("mqtt://anna:s3cret@broker.example.org/x", "mqtt://<user 1>:<key 1>@<host 1>/x"),
        ("Authorization: Bearer abcdefgh123", "Authorization: Bearer <key 1>"),
        ("https://hooks.example.org/T02AB/xoxq91kdlsPQ02mdkz", "https://<host 1>/T02AB/<key 1>"),
        ("/home/anna/wattrail.toml", "/home/<user 1>/wattrail.toml"),
        ("/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A10K5X2M-if00-port0",
         "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_<serial 1>-if00-port0"),
        ("mail to anna@example.org", "mail to <mail 1>"),
        ("at 52.520812, 13.409401", "at <place 1>"),
        ("host printer.local", "host <host 1>"),
        ("c9f0f895-fb98-4b91-9f0e-1c2d3e4f5a6b", "<serial 1>"),
    ],
)  # fmt: skip
def test_a_value_is_known_by_its_look(text: str, hidden: str) -> None:
    assert Redactor().redact(text) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-29T19:10:09+01:00 wattrail 0.1.0 on Python 3.11.2",
        "http://127.0.0.1:8042/ and http://localhost:8042/ and [::1]:8042",
        "OpenBK7231N 1.18.300, flash 2097152 bytes, sector 0x1d1000",
        "55 E5 00 00 12 34 56 78 9A BC DE F0 1F",
        "230.1 V, 0.432 A, 99.5 W, 12.345678 kWh",
        "the password: wrong; token: missing",
        "serial:///dev/ttyUSB0?baud=4800 and twin://pziot-e01?scenario=house",
        "see docs/sources.md or https://github.com/wattrail/wattrail/tree/main/docs",
        "pin: 9, chip BL0942, gain=16, seed=7",
    ],
)
def test_what_helps_to_find_a_fault_stays(text: str) -> None:
    assert Redactor().redact(text) == text


def test_one_value_has_one_label_in_every_text() -> None:
    redactor = Redactor()
    first = redactor.redact("router 192.168.1.1, meter 192.168.1.20 (7C:F6:66:1A:2B:3C)")
    second = redactor.redact("192.168.1.20 is tasmota_1A2B3C, c0a80114, 7cf6661a2b3c")
    assert first == "router <address 1>, meter <address 2> (<hardware 1>)"
    assert second == "<address 2> is tasmota_<hardware 1>, <address 2>, <hardware 1>"


def test_what_one_text_names_goes_from_another() -> None:
    redactor = Redactor()
    texts = ["joined Barn7", "ssid: Barn7"]
    for text in texts:
        redactor.learn(text)
    assert [redactor.redact(text) for text in texts] == ["joined <network 1>", "ssid: <network 1>"]


def test_values_that_overlap_go_as_a_whole() -> None:
    redactor = Redactor([Private(PrivateKind.KEY, "horsebatt"), Private(PrivateKind.KEY, "batterystaple")])
    assert redactor.redact("horsebatterystaple") == "<key 2>"


def test_a_real_openbeken_says_nothing_of_its_owner() -> None:
    told = (CAPTURES / "openbeken-http.jsonl").read_text()
    redactor = Redactor()
    hidden = redactor.redact(told)
    for private in ("192.0.2.20", "192.168.0.1", "EECAFFEE", "obkReal"):
        assert private in told
        assert private not in hidden
    for kept in ("ConsumptionTotal", "127.0.0.1", "255.255.255.0", "Uptime", "2026-11-29T02:43:54", "1540A1"):
        assert kept in hidden
    assert leaks(hidden, redactor.values) == ()


def test_an_empty_value_takes_nothing_with_it() -> None:
    text = '{"LogHost":"","LogPort":514,"psk":"","next":"x", "escaped":"{\\"ssid\\":\\"\\",\\"a\\":1}"}'
    assert Redactor().redact(text) == text


def test_a_second_run_changes_nothing() -> None:
    redactor = Redactor([Private(PrivateKind.NETWORK, "network"), Private(PrivateKind.USER, "user 1")])
    once = redactor.redact("network and user 1")
    assert once == "<network 1> and <user 1>"
    assert redactor.redact(once) == once


def test_a_short_value_goes_behind_its_name_only() -> None:
    assert Redactor().redact("ssid: ac, mac an ac/dc, ssid=AC") == "ssid: <network 1>, mac an ac/dc, ssid=<network 1>"


@pytest.mark.parametrize(
    "line",
    [
        "a gateway holds it: process 812 on pi, since 2026-03-01", "Mar 01 12:00:00 pi wattrail[812]: started",
        "anna@pi:~$ wattrail run", "ssh://pi/",
    ],
)  # fmt: skip
def test_a_short_host_goes_where_hosts_stand(line: str) -> None:
    redactor = Redactor([Private(PrivateKind.HOST, "pi")])
    hidden = redactor.redact(line)
    assert "<host 1>" in hidden
    assert leaks(hidden, redactor.values) == ()
    assert leaks(line, redactor.values), "the proof looks in the same places"
    assert redactor.redact("a pipe of the api") == "a pipe of the api"


@pytest.mark.parametrize("name", ["debian", "wattrail", "meter", "server", "home", "host"])
def test_a_host_called_as_any_word_leaves_the_other_words_alone(name: str) -> None:
    redactor = Redactor([Private(PrivateKind.HOST, name), Private(PrivateKind.HOST, f"{name}.annas.lan")])
    text = "Debian 12; wattrail 0.1.0; [[meter]] of the house; [publish.home_assistant]; the server and the host"
    assert redactor.redact(text) == text
    line = f"2026-07-01T12:00:00 {name} x[1]: http://{name}/ root@{name} at {name}.annas.lan"
    hidden = redactor.redact(line)
    assert hidden == "2026-07-01T12:00:00 <host 1> x[1]: http://<host 1>/ root@<host 1> at <host 2>"
    assert leaks(hidden, redactor.values) == ()
    assert leaks(line, redactor.values)


SAFE = st.text(st.characters(codec="utf-8", exclude_characters="\0<>\"'\\+%&;"), min_size=4, max_size=24).filter(
    lambda text: len("".join(text.split()).encode()) >= 5 and text == text.strip()
)


@given(value=SAFE, around=st.text(max_size=30), written=st.sampled_from(sorted(WRITTEN)))
def test_nothing_planted_survives(value: str, around: str, written: str) -> None:
    redactor = Redactor([Private(PrivateKind.KEY, value)])
    hidden = redactor.redact(f"{around} {WRITTEN[written](value)} {around[::-1]}")
    assert leaks(hidden, redactor.values) == ()


@given(text=st.text(max_size=300))
def test_any_text_is_redacted_and_proven(text: str) -> None:
    redactor = Redactor()
    hidden = redactor.redact(text)
    assert leaks(hidden, redactor.values) == ()


def test_the_id_of_a_device_with_tuyas_firmware_goes_with_its_url() -> None:
    text = 'url = "tuya://192.168.7.22?version=3.3&id=bf1234567890abcdefgh&board=pziot-e01"; bf1234567890abcdefgh'
    hidden = Redactor().redact(text)
    assert "bf1234567890abcdefgh" not in hidden
    assert "version=3.3&" in hidden
    assert "board=pziot-e01" in hidden
