"""What a person reads where a URL leads to something else than the meter that it names."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Type
from tests.cli.network_rig import web_device

STATUS = (
    '{"StatusFWR":{"Version":"x","SDK":"obk"},"StatusSNS":{"ENERGY":{"Power":%s,"Voltage":230,"ConsumptionTotal":%s}}}'
)


def page(body: str, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("answer", "code", "message", "hint"),
    [
        (page("<!DOCTYPE html>"), 4, "it is the web page of another device", "check that this is the address"),
        (page('{"StatusFWR":'), 4, "expected JSON, got '{\"StatusFWR\":'", "check that this is the address"),
        (page(STATUS % ('"5"', '"12"')), 4, "ConsumptionTotal is '12', expected a number", ""),
        (page("[" + "1," * 5_000_000), 4, "more than 262144 bytes", "check that this is the address of a meter"),
        (page('{"StatusFWR":{"Version":"14"}}'), 4, "StatusFWR.SDK is '', expected 'obk'", "use tasmota://"),
        (page('{"StatusFWR":{"SDK":"obk"}}'), 4, "no metering driver runs", "startDriver BL0942SPI"),
        (page("", "401 Unauthorized"), 3, "the meter refuses the user or the password", "credentials"),
        (page("no", "404 Not Found"), 4, "HTTP status 404, expected 200: 'no'", "check the address"),
        (b"", 3, "closed the connection early, after 0 bytes", "poll less often"),
    ],
    ids=["page", "cut json", "text", "10 MB", "tasmota", "no driver", "password", "404", "nothing"],
)
def test_another_answer_is_named_with_a_remedy(
    wattrail: Type, answer: bytes, code: int, message: str, hint: str
) -> None:
    with web_device(lambda _target, _head: answer) as place:
        said = wattrail("meter", "read", f"openbeken://{place}")
    assert said.code == code
    assert message in said.err
    assert hint in said.err
    assert "text_numbers" not in said.err  # this scheme has no such option


def test_numbers_that_are_none_are_dashes_and_said(wattrail: Type) -> None:
    with web_device(lambda _target, _head: page(STATUS % ("nan", "inf"))) as place:
        said = wattrail("meter", "read", f"openbeken://{place}")
    assert said.code == 0
    assert "Power                   – W" in said.out
    assert "no energy: the meter says no total now" in said.err


def test_a_web_address_names_the_schemes_to_use(wattrail: Type) -> None:
    said = wattrail("meter", "read", "http://192.0.2.1")
    assert said.code == 2
    assert "hint: name the firmware behind it: openbeken://192.0.2.1 or tasmota://192.0.2.1" in said.err


def test_a_password_in_a_url_is_refused_and_not_shown(wattrail: Type) -> None:
    said = wattrail("meter", "read", "mqtt://me:planted-secret@192.0.2.1/x?device=openbeken")
    assert said.code == 2
    assert "a URL holds no user and no password" in said.err
    assert "planted-secret" not in said.err
