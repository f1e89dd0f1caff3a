"""Port URLs: strict, and helpful about it."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattrail.errors import UrlError
from wattrail.transport import SCHEMES, check_url, is_physical, open_port
from wattrail.urls import (
    DEVICE_SCHEMES,
    FILE_SCHEMES,
    HOST_SCHEMES,
    NESTED,
    Option,
    boolean,
    choice,
    corrected,
    innermost,
    number_in,
    read_options,
    split,
)

BAUD = Option("baud", number_in(int, 300, 4_000_000), 4800, "the rate, for example baud=9600")


@pytest.mark.parametrize(
    ("text", "scheme", "host", "port", "path"),
    [
        ("serial:///dev/ttyUSB0?baud=4800", "serial", "", None, "/dev/ttyUSB0"),
        ("serial:///COM3", "serial", "", None, "/COM3"),
        ("tcp://192.168.1.20:8888", "tcp", "192.168.1.20", 8888, ""),
        ("rfc2217://[fe80::1]:2217", "rfc2217", "fe80::1", 2217, ""),
        ("spi+tcp://localhost:4942", "spi+tcp", "localhost", 4942, ""),
        ("TWIN://pziot-e01?seed=7", "twin", "pziot-e01", None, ""),
        ("replay:captures/a%20day.jsonl", "replay", "", None, "captures/a day.jsonl"),
    ],
)
def test_a_url_comes_apart(text: str, scheme: str, host: str, port: int | None, path: str) -> None:
    url = split(text)
    assert (url.scheme, url.host, url.port, url.path) == (scheme, host, port, path)


def test_urls_nest_without_escapes() -> None:
    url = split("record:day.jsonl?overwrite=yes&of=serial:///dev/ttyUSB0?baud=9600&parity=none")
    assert url.query == {"overwrite": "yes", NESTED: "serial:///dev/ttyUSB0?baud=9600&parity=none"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("/dev/ttyUSB0", "has no scheme"),
        ("", "has no scheme"),
        ("tcp:localhost:1", "must be followed by two slashes"),
        ("tcp://host:99999", "port '99999' is not a number from 0 to 65535"),
        ("tcp://[::1:80", "is not an address"),
        ("tcp://host:1?baud", "'baud' is not option=value"),
        ("tcp://host:1?a=1&a=2", "option 'a' is given twice"),
        ("tcp://host:" + "1" * 4000, "is not a number from 0 to 65535"),
        ("tcp://a..b:80", r"'a\.\.b' is not the name of a host"),
        ("tcp://\udcff:80", "is not the name of a host"),
        ("replay:a%00b", "a path cannot contain a NUL"),
        ("serial:///dev/\0", "a path cannot contain a NUL"),
        ("replay:" + "a" * 5000, "a URL has at most 4096 characters, this one has 5007"),
    ],
)
def test_what_is_not_a_url_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(UrlError, match=complaint):
        split(text)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("serial:/dev/ttyUSB0", "serial:///dev/ttyUSB0"),
        ("serial://dev/ttyUSB0", "serial:///dev/ttyUSB0"),
        ("serial:dev/ttyUSB0?baud=9600", "serial:///dev/ttyUSB0?baud=9600"),
        ("serial:///dev/ttyUSB0&baud=9600", "serial:///dev/ttyUSB0?baud=9600"),
        ("serial://ttyUSB0", "serial:///dev/ttyUSB0"),
        ("serial:COM3", "serial:///COM3"),
        ("com3", "serial:///com3"),
        ("/dev/ttyACM1", "serial:///dev/ttyACM1"),
        ("/dev/serial/by-id/usb-1a86_USB_Serial-if00-port0", "serial:///dev/serial/by-id/usb-1a86_USB_Serial-if00-port0"),
        ("serail:///dev/ttyUSB0", "serial:///dev/ttyUSB0"),
        ("/dev/spidev0.0", "spi:///dev/spidev0.0"),
        ("spi:/dev/spidev0.0?hz=100000", "spi:///dev/spidev0.0?hz=100000"),
        ("twin:pziot-e01", "twin://pziot-e01"),
        ("tcp:192.168.1.20:8888", "tcp://192.168.1.20:8888"),
        ("tcp:///192.168.1.20:8888", "tcp://192.168.1.20:8888"),
        ("192.168.1.20:8888", "tcp://192.168.1.20:8888"),
        ("replay://day.jsonl", "replay:day.jsonl"),
        ("day.jsonl", "replay:day.jsonl"),
    ],
)  # fmt: skip
def test_what_was_meant_is_suggested_and_can_be_typed(typed: str, meant: str) -> None:
    assert corrected(typed) == meant
    assert check_url(meant) == meant


@pytest.mark.parametrize("typed", ["", "house", "serial:", "http://192.168.1.20/", "serial:///dev/ttyUSB0"])
def test_where_nothing_can_be_said_nothing_is(typed: str) -> None:
    assert corrected(typed) is None


WRONG = [
    "serial:/dev/ttyUSB0", "serial://dev/ttyUSB0", "serial://", "serial:///dev/ttyUSB0&baud=9600", "serail:/dev/x",
    "spi:/dev/spidev0.0", "spi://", "spi+gpio://", "tcp:192.168.1.20:8888", "tcp://192.168.1.20", "tcp://[::1]", "rfc2217://",
    "spi+tcp://", "replay://a/b.jsonl", "record:day.jsonl", "record:day.jsonl?overwrite=yes", "twin:pziot-e01",
    "/dev/ttyUSB0", "COM5", "10.0.0.1:23", "house", "http://meter.local/", "serial:///x?bauds=1",
]  # fmt: skip


@pytest.mark.parametrize("typed", WRONG)
def test_every_url_in_a_hint_is_a_url_that_would_be_taken(typed: str) -> None:
    # 'serial:/dev/ttyUSB0' was answered with 'serial://dev/ttyUSB0', and that with 'serial:///dev/dev'.
    with pytest.raises(UrlError) as caught:
        open_port(typed)
    hinted = re.findall(r"(?:{}):[^\s,]+".format("|".join(map(re.escape, SCHEMES))), caught.value.hint or "")
    for url in hinted:
        assert check_url(url) == url


@given(st.text(max_size=60))
def test_whatever_is_typed_a_correction_is_a_url(text: str) -> None:
    meant = corrected(text)
    assert meant is None or split(meant).text == meant


def test_the_forms_of_urls_cover_every_scheme() -> None:
    assert set(SCHEMES) == DEVICE_SCHEMES | HOST_SCHEMES | FILE_SCHEMES


def test_an_unknown_scheme_lists_the_known() -> None:
    with pytest.raises(UrlError, match=r"unknown scheme 'seriall'; known: serial, tcp, .*twin"):
        open_port("seriall:///dev/ttyUSB0")


def test_an_unknown_option_lists_the_known_and_guesses_the_meant() -> None:
    with pytest.raises(UrlError, match="serial has no option 'bauds'; known: baud") as caught:
        read_options(split("serial:///dev/ttyUSB0?bauds=4800"), [BAUD])
    assert caught.value.hint == "did you mean baud?"


def test_a_value_that_does_not_fit_says_what_would() -> None:
    with pytest.raises(UrlError, match="option baud='12' does not fit: must be from 300 to 4000000") as caught:
        read_options(split("serial:///x?baud=12"), [BAUD])
    assert caught.value.hint == "the rate, for example baud=9600"


def test_options_left_out_have_their_defaults() -> None:
    options = [BAUD, Option("cs", boolean, True, ""), Option("sel", choice("spi", "uart"), "spi", "")]
    assert read_options(split("x://y?cs=no"), options) == {"baud": 4800, "cs": False, "sel": "spi"}


@pytest.mark.parametrize(
    ("convert", "text"), [(boolean, "perhaps"), (choice("a", "b"), "c"), (number_in(int, 1, 2), "x")]
)
def test_converters_refuse(convert: object, text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        convert(text)  # type: ignore[operator]


def test_only_wires_are_dangerous() -> None:
    assert is_physical("serial:///dev/ttyUSB0")
    assert is_physical("record:x.jsonl?of=spi:///dev/spidev0.0")
    assert not is_physical("twin://pziot-e01")
    assert not is_physical("serial:///dev/pts/3?simulated=yes")


def test_every_schemes_example_is_understood_by_its_own_options() -> None:
    for scheme in SCHEMES.values():
        url = split(scheme.example)
        assert url.scheme == scheme.name
        read_options(url, scheme.load().OPTIONS)


@given(st.text(max_size=80))
def test_a_text_is_a_url_or_refused_and_never_a_crash(text: str) -> None:
    with suppress(UrlError):
        assert split(text).text == text


def test_the_port_itself_is_seen_through_every_url_around_it() -> None:
    assert innermost("serial:///dev/ttyUSB0").scheme == "serial"
    assert innermost("record:a.jsonl?of=twin://pziot-e01?seed=7&scenario=house").scheme == "twin"
    twice = innermost("record:a.jsonl?of=record:b.jsonl?of=replay:old.jsonl")
    assert (twice.scheme, twice.path) == ("replay", "old.jsonl")
    with pytest.raises(UrlError, match="no scheme"):
        innermost("record:a.jsonl?of=ttyUSB0")
