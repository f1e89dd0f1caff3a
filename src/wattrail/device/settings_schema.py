"""The tables of a settings file for OpenBeken. Imported when one is read: needs pydantic."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from wattrail.image.openbeken_configuration import PinSetting
from wattrail.image.openbeken_settings import CALIBRATION_NAMES, OpenBekenSettings, pin_setting
from wattrail.openbeken import FLAG_COUNT
from wattrail.toml_schema import field_error
from wattrail.toml_schema.section import Section

__all__ = ["DeviceSettings"]

_Flag = Annotated[int, Field(ge=0, lt=FLAG_COUNT)]
_Seconds = Annotated[int, Field(ge=1, le=255)]
_Constant = Annotated[float, Field(gt=0)]


class DeviceNamesSection(Section):
    """``[names]``."""

    name: str | None = None
    short_name: str | None = None


class DeviceMqttSection(Section):
    """``[mqtt]``; user and password are looked up by ``login``, by default the host."""

    host: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    client: str | None = None
    group: str | None = None
    login: str | None = None


class DeviceNetworkSection(Section):
    """``[network]``: a fixed address in place of DHCP; 0.0.0.0 is DHCP."""

    address: str | None = None
    mask: str | None = None
    gateway: str | None = None
    dns: str | None = None


class FlagsSection(Section):
    """``[flags]``: numbers of flags to switch on and off; the others stay."""

    on: list[_Flag] = Field(default_factory=list)
    off: list[_Flag] = Field(default_factory=list)


class ConstantsSection(Section):
    """``[calibration]``: counts for each volt, ampere and watt."""

    volts: _Constant | None = None
    amps: _Constant | None = None
    watts: _Constant | None = None


class DeviceSettings(Section):
    """The whole file."""

    startup_command: str | None = None
    time_server: str | None = None
    boot_ok_seconds: _Seconds | None = None
    names: DeviceNamesSection = DeviceNamesSection()
    mqtt: DeviceMqttSection = DeviceMqttSection()
    network: DeviceNetworkSection = DeviceNetworkSection()
    pins: dict[str, str] | None = None
    flags: FlagsSection = FlagsSection()
    calibration: ConstantsSection = ConstantsSection()

    def settings(self) -> OpenBekenSettings:
        """What the file wants, without logins. Raises pydantic's error by field."""
        texts = {
            "name": self.names.name, "short_name": self.names.short_name, "mqtt_host": self.mqtt.host,
            "mqtt_client": self.mqtt.client, "mqtt_group": self.mqtt.group,
            "startup_command": self.startup_command, "ntp_server": self.time_server,
        }  # fmt: skip
        numbers = {"mqtt_port": self.mqtt.port, "boot_ok_seconds": self.boot_ok_seconds}
        addresses = {
            "static_ip": self.network.address, "static_mask": self.network.mask,
            "static_gateway": self.network.gateway, "static_dns": self.network.dns,
        }  # fmt: skip
        constants = (getattr(self.calibration, name) for name in CALIBRATION_NAMES)
        return OpenBekenSettings(
            {name: text for name, text in texts.items() if text is not None},
            {name: number for name, number in numbers.items() if number is not None},
            {name: text for name, text in addresses.items() if text is not None},
            pins=self._pins(),
            flags_on=frozenset(self.flags.on),
            flags_off=frozenset(self.flags.off),
            calibration={slot: value for slot, value in enumerate(constants) if value is not None},
        )

    def _pins(self) -> dict[int, PinSetting] | None:
        if self.pins is None:
            return None
        found = {}
        for name, text in self.pins.items():
            number = name.removeprefix("P")
            if not number.isdecimal():
                raise field_error(("pins", name), "must be named like P20")
            found[int(number)] = pin_setting(text)
        return found
