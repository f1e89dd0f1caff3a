"""Telegrams read by dsmr-parser."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from dsmr_parser import telegram_specifications
from dsmr_parser.exceptions import InvalidChecksumError
from dsmr_parser.parsers import TelegramParser

from tests.publish.rig import HOUSE, REGISTERS, live
from wattrail.publish.p1 import telegram
from wattrail.publish.values import LiveValues
from wattrail.units import Quantities
from wattrail.wire.octets import crc16_arc

WINTER = datetime(2026, 11, 22, 6, 30)  # noqa: DTZ001 local time, as a meter shows it

# Accepted by dsmr-parser 1.11.2, which computed its CRC.
GOLDEN = (
    "/WTR5\\PZIOT-E01\r\n\r\n1-3:0.2.8(50)\r\n0-0:1.0.0(261122053000W)\r\n"
    "0-0:96.1.1(45303030312D574154545241494C)\r\n1-0:1.8.1(001234.567*kWh)\r\n1-0:1.8.2(000000.000*kWh)\r\n"
    "1-0:2.8.1(000089.012*kWh)\r\n1-0:2.8.2(000000.000*kWh)\r\n0-0:96.14.0(0001)\r\n1-0:1.7.0(00.000*kW)\r\n"
    "1-0:2.7.0(01.835*kW)\r\n1-0:32.7.0(230.4*V)\r\n1-0:31.7.0(008*A)\r\n1-0:21.7.0(00.000*kW)\r\n"
    "1-0:22.7.0(01.835*kW)\r\n!"
)


def parsed(values: LiveValues, **changes: Any) -> Any:
    text = telegram(replace(HOUSE, **changes), values, REGISTERS, local=WINTER, is_summer=False)
    return TelegramParser(telegram_specifications.V5).parse(text.decode("ascii"))


def test_the_checksum_is_that_of_known_telegrams_and_of_the_catalogue() -> None:
    assert crc16_arc(b"123456789") == 0xBB3D
    assert crc16_arc(GOLDEN.encode()) == 0xE8FA


def test_a_foreign_parser_reads_registers_and_power() -> None:
    found = parsed(live())
    assert found.ELECTRICITY_USED_TARIFF_1.value == Decimal("1234.567")
    assert found.ELECTRICITY_DELIVERED_TARIFF_1.value == Decimal("89.012")
    assert found.ELECTRICITY_USED_TARIFF_2.value == 0
    assert found.CURRENT_ELECTRICITY_USAGE.value == 0
    assert found.CURRENT_ELECTRICITY_DELIVERY.value == Decimal("1.835")
    assert found.INSTANTANEOUS_VOLTAGE_L1.value == Decimal("230.4")
    assert found.INSTANTANEOUS_CURRENT_L1.value == 8
    assert found.EQUIPMENT_IDENTIFIER.value == HOUSE.identity.encode().hex().upper()


def test_local_time_and_season_become_the_moment_in_utc() -> None:
    found = parsed(live())
    assert found.P1_MESSAGE_TIMESTAMP.value.utcoffset() == timedelta(0)
    assert found.P1_MESSAGE_TIMESTAMP.value.hour == 5
    summer = telegram(HOUSE, live(), REGISTERS, local=WINTER.replace(month=6), is_summer=True)
    assert b"0-0:1.0.0(260622063000S)" in summer


def test_import_and_export_are_told_apart() -> None:
    found = parsed(live(Quantities(watts=2500.04, volts=229.0, amps=10.9)))
    assert found.CURRENT_ELECTRICITY_USAGE.value == Decimal("2.500")
    assert found.CURRENT_ELECTRICITY_DELIVERY.value == 0


def test_what_is_unknown_is_left_out_and_never_zero() -> None:
    text = telegram(HOUSE, live(Quantities(volts=230.0)), REGISTERS, local=WINTER, is_summer=False)
    assert b"1-0:1.7.0" not in text
    assert b"1-0:31.7.0" not in text
    assert b"1-0:32.7.0(230.0*V)" in text


def test_one_wrong_bit_is_found_by_the_checksum() -> None:
    text = telegram(HOUSE, live(), REGISTERS, local=WINTER, is_summer=False).replace(b"230.4", b"231.4")
    with pytest.raises(InvalidChecksumError):
        TelegramParser(telegram_specifications.V5).parse(text.decode())


def test_a_twin_says_so_where_a_meter_says_its_make() -> None:
    text = telegram(replace(HOUSE, simulated=True), live(), REGISTERS, local=WINTER, is_summer=False)
    assert text.startswith(b"/WTR5\\wattrail-simulated\r\n\r\n")
