"""OpenBeken, the firmware: names of roles and flags, and the layout of its configuration, each number once.

Tables only, for the codec, the client of a running device and the simulated device alike.
Source: openbeken/configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Final

from wattrail.bk7231 import Chip

__all__ = [
    "CALIBRATION_SLOTS",
    "CHANNELS",
    "CONFIGURATION_BYTES",
    "CURRENT_VERSION",
    "DEFAULT_FILE_SYSTEM_BYTES",
    "DEFAULT_GROUPS",
    "FIELDS",
    "FILE_SYSTEM_END",
    "FLAG_COUNT",
    "MAGIC",
    "PINS",
    "ROLES",
    "SECRET_FIELDS",
    "VERSION_BYTES",
    "ConfigurationField",
    "FieldKind",
    "Flag",
    "field_offset",
    "text_capacity",
]

MAGIC: Final = b"CFG"
CURRENT_VERSION: Final = 5
PINS: Final = 29
"""GPIOs of the BK7231 family that have a place in ``/api/pins``; the tables in flash have more."""

CHANNELS: Final = 64
CALIBRATION_SLOTS: Final = 8

VERSION_BYTES: Final[Mapping[int, int]] = MappingProxyType({2: 2016, 3: 2016, 4: 3584, 5: 3584})
"""Bytes of the structure by its version, which its checksum covers from byte 4 on.

Version 2 is of mid-2022, 3 of September 2022, 4 of April 2023 (second network), 5 of December 2023 (password of the
pages). Version 1, of the first half of 2022, has another checksum, and its startup command two bytes earlier. Firmware
of 2026 takes 3, 4 and 5, stores 5, and loads its defaults in place of anything else.
"""

CONFIGURATION_BYTES: Final = VERSION_BYTES[CURRENT_VERSION]


class FieldKind(Enum):
    """How a field is stored; numbers are little-endian."""

    TEXT = "text, closed by a 0"
    TEXT_OR_FULL = "text, closed by a 0 unless it fills the field"
    U8 = "u8"
    U16 = "u16"
    U32 = "u32"
    BYTES = "bytes"
    S16_ARRAY = "s16 array"
    FLOAT_ARRAY = "float array"


@dataclass(frozen=True, slots=True)
class ConfigurationField:
    """One field: where it lies on most chips, how many bytes it has, and since which version it is there."""

    name: str
    offset: int
    length: int
    kind: FieldKind
    since: int = 2


def _text(name: str, offset: int, length: int, since: int = 2) -> ConfigurationField:
    return ConfigurationField(name, offset, length, FieldKind.TEXT, since)


_U8, _U16, _U32 = FieldKind.U8, FieldKind.U16, FieldKind.U32
_FIELD = ConfigurationField

FIELDS: Final[Mapping[str, ConfigurationField]] = MappingProxyType(
    {
        field.name: field
        for field in (
            _FIELD("version", 0x004, 4, _U32),
            _FIELD("flags_low", 0x008, 4, _U32),
            _FIELD("flags_high", 0x00C, 4, _U32),
            _FIELD("change_count", 0x010, 2, _U16),
            _FIELD("ota_count", 0x012, 2, _U16),
            _text("wifi_ssid", 0x014, 64),
            _FIELD("wifi_password", 0x054, 64, FieldKind.TEXT_OR_FULL),
            _text("mqtt_host", 0x094, 256),
            _text("mqtt_client", 0x194, 64),
            _text("mqtt_user", 0x1D4, 64),
            _text("mqtt_password", 0x214, 128),
            _FIELD("mqtt_port", 0x294, 4, _U32),
            _text("web_app_root", 0x298, 64),
            _FIELD("mac", 0x2D8, 6, FieldKind.BYTES),
            _text("short_name", 0x2DE, 32),
            _text("name", 0x2FE, 64),
            _FIELD("pin_roles", 0x33E, 32, FieldKind.BYTES),
            _FIELD("pin_channels", 0x35E, 32, FieldKind.BYTES),
            _FIELD("pin_channels2", 0x37E, 32, FieldKind.BYTES),
            _FIELD("channel_types", 0x39E, CHANNELS, FieldKind.BYTES),
            _FIELD("start_values", 0x3DE, 2 * CHANNELS, FieldKind.S16_ARRAY),
            _FIELD("log_to_file", 0x45E, 1, _U8),
            _FIELD("group_send_flags", 0x460, 4, _U32),
            _FIELD("group_receive_flags", 0x464, 4, _U32),
            _text("group_name", 0x468, 16),
            _text("ntp_server", 0x478, 32),
            _FIELD("calibration", 0x498, 4 * CALIBRATION_SLOTS, FieldKind.FLOAT_ARRAY),
            _FIELD("button_short", 0x4B8, 1, _U8),
            _FIELD("button_long", 0x4B9, 1, _U8),
            _FIELD("button_repeat", 0x4BA, 1, _U8),
            _FIELD("file_system_bytes", 0x4BC, 4, _U32),
            _FIELD("logger_flags", 0x4C0, 4, _U32),
            _FIELD("static_ip", 0x527, 4, FieldKind.BYTES),
            _FIELD("static_mask", 0x52B, 4, FieldKind.BYTES),
            _FIELD("static_gateway", 0x52F, 4, FieldKind.BYTES),
            _FIELD("static_dns", 0x533, 4, FieldKind.BYTES),
            _FIELD("led_order", 0x537, 5, FieldKind.BYTES),
            _FIELD("led_correction", 0x53C, 24, FieldKind.FLOAT_ARRAY),
            _text("mqtt_group", 0x554, 64),
            _FIELD("boot_ok_seconds", 0x597, 1, _U8),
            _FIELD("ping_interval", 0x598, 4, _U32),
            _FIELD("ping_seconds", 0x59C, 4, _U32),
            _text("ping_host", 0x5A0, 64),
            _text("startup_command", 0x5E0, 1568),
            _text("wifi_ssid2", 0xC00, 64, since=4),
            _text("wifi_password2", 0xC40, 68, since=4),
            _text("web_password", 0xC84, 33, since=5),
            _FIELD("mqtt_use_tls", 0xCA5, 1, _U8, since=5),
            _FIELD("mqtt_verify_certificate", 0xCA6, 1, _U8, since=5),
            _text("mqtt_certificate_file", 0xCA7, 20, since=5),
            _FIELD("disable_web_server", 0xCBB, 1, _U8, since=5),
        )
    }
)
"""By name, in the order of the structure, as it lies on N, T, M, U and BK7238."""

SECRET_FIELDS: Final = frozenset({"wifi_password", "wifi_password2", "mqtt_password", "web_password"})

_OLD_STARTUP_BYTES: Final = 512
"""Of the startup command before version 4."""

_WIDE_PINS: Final = frozenset({Chip.BK7252, Chip.BK7252N})
"""Chips with places for 48 pins, which moves what follows up to the unused bytes before the addresses by 48."""

_MORE_PINS: Final = 16
_PIN_TABLES: Final = ("pin_roles", "pin_channels", "pin_channels2")


def field_offset(name: str, chip: Chip | None = None) -> int:
    """Where a field lies in the structure of a chip, in bytes; without a chip, where most have it."""
    offset = FIELDS[name].offset
    if chip not in _WIDE_PINS or offset < FIELDS["pin_channels"].offset or offset >= FIELDS["static_ip"].offset:
        return offset
    before = sum(FIELDS[table].offset < offset for table in _PIN_TABLES)
    return offset + before * _MORE_PINS


def text_capacity(name: str, version: int = CURRENT_VERSION) -> int:
    """Bytes that a text may have, without the 0 that closes it."""
    field = FIELDS[name]
    length = _OLD_STARTUP_BYTES if name == "startup_command" and version < 4 else field.length
    return length if field.kind is FieldKind.TEXT_OR_FULL else length - 1


class Flag(IntEnum):
    """Numbers of the flags that matter to a meter; the firmware names ``FLAG_COUNT`` of them."""

    BROADCAST_SELF_STATE = 10
    ALLOW_NEGATIVE = 25
    SECOND_UART = 26
    HOME_ASSISTANT_DISCOVERY = 27
    TASMOTA_TELEMETRY = 30
    UART_COMMANDS = 31
    NO_DRIVER_AUTOSTART = 36
    ZERO_WITHOUT_RELAY = 38
    ENERGY_IN_KWH = 40
    NO_PASSWORD_IN_SAFE_MODE = 44


FLAG_COUNT: Final = 52

FILE_SYSTEM_END: Final[Mapping[Chip, int]] = MappingProxyType(
    {chip: 0x1D0000 if chip in (Chip.N, Chip.M) else 0x1B3000 for chip in Chip}
)
"""Where in flash the file system ends, which lies in the last part of the space for a waiting update."""

DEFAULT_FILE_SYSTEM_BYTES: Final = 0x8000
"""Of a configuration whose size of the file system is 0."""

DEFAULT_GROUPS: Final[Mapping[Chip, str]] = MappingProxyType(
    {
        Chip.N: "bekens_n",
        Chip.M: "bekens_n",
        Chip.T: "bekens_t",
        Chip.U: "bekens_u",
        Chip.BK7238: "bekens_8s",
        Chip.BK7252: "bekens_52s",
        Chip.BK7252N: "bekens_52n",
    }
)
"""MQTT group of a device with default settings, by the chip that its build is for."""

# fmt: off
ROLES: Final = (
    "None", "Rel", "Rel_n", "Btn", "Btn_n", "LED", "LED_n", "PWM", "WifiLED", "WifiLED_n", "Btn_Tgl_All",
    "Btn_Tgl_All_n", "dInput", "dInput_n", "TglChanOnTgl", "dInput_NoPullUp", "dInput_NoPullUp_n", "BL0937SEL",
    "BL0937CF", "BL0937CF1", "ADC", "SM2135DAT", "SM2135CLK", "BP5758D_DAT", "BP5758D_CLK", "BP1658CJ_DAT",
    "BP1658CJ_CLK", "PWM_n", "IRRecv", "IRSend", "Btn_NextColor", "Btn_NextColor_n", "Btn_NextDimmer",
    "Btn_NextDimmer_n", "AlwaysHigh", "AlwaysLow", "UCS1912_DIN", "SM16703P_DIN", "Btn_NextTemperature",
    "Btn_NextTemperature_n", "Btn_ScriptOnly", "Btn_ScriptOnly_n", "DHT11", "DHT12", "DHT21", "DHT22", "CHT83XX_SDA",
    "CHT83XX_SCK", "SHT3X_SDA", "SHT3X_SCK", "SoftSDA", "SoftSCL", "SM2235DAT", "SM2235CLK", "BridgeFWD", "BridgeREV",
    "Btn_SmartLED", "Btn_SmartLED_n", "DoorSnsrWSleep", "DoorSnsrWSleep_nPup", "BAT_ADC", "BAT_Relay", "TM1637_DIO",
    "TM1637_CLK", "BL0937SEL_n", "DoorSnsrWSleep_pd", "SGP_CLK", "SGP_DAT", "ADC_Button", "GN6932_CLK", "GN6932_DAT",
    "GN6932_STB", "TM1638_CLK", "TM1638_DAT", "TM1638_STB", "BAT_Relay_n", "KP18058_CLK", "KP18058_DAT", "DS1820_IO",
    "PWM_ScriptOnly", "PWM_ScriptOnly_n", "Counter_f", "Counter_r", "IRRecv_nPup", "StripState", "StripState_n",
    "HLW_8112_SCSN", "RCRecv", "RCRecv_nPup", "Btn_pd", "Btn_pd_n", "TglChanOnTgl_pd", "ShutterA", "ShutterB",
    "BtnShutterUp", "BtnShutterDown", "BL0939_SCLK", "BL0939_MOSI", "BL0939_MISO",
)
# fmt: on
"""Names of pin roles by their number, as ``setPinRole`` takes them and ``/api/pins`` gives them."""
