"""What of a dump may be shown to anybody: the one table of what is harmless, and of what the rest is.

A stock dump holds its owner's Wi-Fi, the keys of an account and where the device stood. Firmware invents names, so the
table lists what is known to be harmless; everything else is hidden until it is asked for. A name in ``SECRET_NAMES`` is
hidden wherever it stands, also inside what is harmless otherwise; its entry says what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from wattrail.image.tuya_values import Value

__all__ = ["HIDDEN", "OPENBEKEN_PUBLIC", "SECRET_NAMES", "hide", "hide_field"]

HIDDEN: Final = "hidden"
"""What stands in place of a value that is not shown; "hidden: Wi-Fi password" where its kind is known."""

_ALL: Final = frozenset({"*"})

PUBLIC: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "user_param_key": _ALL,
        "em_sys_env": _ALL,
        "baud_cfg": _ALL,
        "uart_adapt_params": _ALL,
        "mf_test_close": _ALL,
        "wf_start_md": _ALL,
        "is_stride": _ALL,
        "save_off_stat": _ALL,
        "fsw_cnt_key": _ALL,
        "gw_di": frozenset(
            {"abi", "attr_num", "bv", "cadv", "cdv", "dev_swv", "dtp", "firmk", "lpv", "pk", "pv", "swv", "sync"}
        ),
        "gw_bi": frozenset({"prod_test"}),
        "gw_wsm": frozenset({"dns_prio", "is_psk30_cfg", "md", "nc_tp", "stat", "wfb64"}),
        "gw_ai": frozenset({"cloud_cap", "dy_tls_m"}),
    }
)  # fmt: skip
"""Names in the storage, and the fields of their objects, that say nothing about a person or an account."""

_SCHEMA_FIELDS: Final = frozenset({"id", "mode", "property", "type", "trigger", "passive"})
"""Fields of the description of a data point; a value that is a list of such objects is shown."""

SECRET_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ssid": "Wi-Fi name",
        "ap_ssid": "Wi-Fi name",
        "wifi_ssid": "Wi-Fi name",
        "passwd": "Wi-Fi password",
        "pwsd": "Wi-Fi password",
        "password": "password",
        "ap_passwd": "Wi-Fi password",
        "token": "token",
        "reg_key": "key of an account",
        "region": "country",
        "country_code": "country",
        "uuid": "licence",
        "auth_key": "licence key",
        "psk_key": "licence key",
        "psk30_key": "licence key",
        "psk21_key": "licence key",
        "pin": "pairing code",
        "fac_pin": "product id of the factory",
        "id": "device id",
        "s_id": "id of its data points",
        "key": "local key",
        "lckey": "local key",
        "localkey": "local key",
        "local_key": "local key",
        "hs_psk": "server key",
        "mq_psk": "MQTT key",
        "bt_mac": "MAC address",
        "mac": "MAC address",
        "lat": "coordinates",
        "lon": "coordinates",
        "time_z": "time zone",
        "s_time_z": "time zone",
        "ble_beaconkey": "Bluetooth key",
        "tuya_seed": "key",
        "ap_info_v2": "Wi-Fi",
        "mqtt_password": "MQTT password",
        "mqtt_pass": "MQTT password",
        "mqtt_user": "MQTT user",
    }
)
"""What is behind a name, in whatever case. Where none of these stands, a hidden value is of unknown kind."""

OPENBEKEN_PUBLIC: Final = frozenset(
    {
        "version", "pins", "flags", "calibration", "channel_types", "start_values", "change_count", "ota_count",
        "button_short", "button_long", "button_repeat", "file_system_bytes", "led_order", "led_correction",
        "boot_ok_seconds", "log_to_file", "logger_flags", "mqtt_port", "mqtt_use_tls", "mqtt_verify_certificate",
        "disable_web_server",
    }
)  # fmt: skip
"""Fields of OpenBeken's settings that are shown; names may hold the end of the MAC address, commands passwords."""


def hide(name: str, value: Value) -> Value:
    """A value of the storage without what is secret in it; the shape stays."""
    public = PUBLIC.get(name)
    if public is None:
        return value if _is_schema(value) else _hidden_below(name, value)
    if public is _ALL:
        return hide_field(name, value)
    if not isinstance(value, dict):
        return _hidden_below(name, value)
    return {
        field: hide_field(field, inner) if field in public else _hidden_below(field, inner)
        for field, inner in value.items()
    }


def _is_schema(value: Value) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) and item.keys() <= _SCHEMA_FIELDS for item in value)


def _hidden_below(name: str, value: Value) -> Value:
    """Everything hidden, with the names of its fields."""
    match value:
        # These show that a setting is there, and nothing of what it holds.
        case None | True | False | "":
            return value
        case dict():
            return {field: _hidden_below(field, inner) for field, inner in value.items()}
        case list():
            return [_hidden_below(name, item) for item in value]
    kind = SECRET_NAMES.get(name.lower())
    return f"{HIDDEN}: {kind}" if kind else HIDDEN


def hide_field(name: str, value: Value) -> Value:
    """A value that is harmless unless one of the secret names stands over it, or in it."""
    if name.lower() in SECRET_NAMES:
        return _hidden_below(name, value)
    match value:
        case dict():
            return {field: hide_field(field, inner) for field, inner in value.items()}
        case list():
            return [hide_field(name, item) for item in value]
    return value
