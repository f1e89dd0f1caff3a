"""Files of a person with settings for OpenBeken: TOML, a template of a board, and the Wi-Fi apart from both.

The file with the Wi-Fi holds a password: nobody else may read it. User and password of the MQTT broker are looked up
like every other login, by the name of the host.
"""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Final

from wattrail.credentials import Secrets
from wattrail.errors import ConfigError, FileError
from wattrail.files import parse_toml, read_text
from wattrail.image.openbeken_settings import OpenBekenSettings, template_settings
from wattrail.toml_schema import needs_pydantic, read_model
from wattrail.urls import MQTT_PORTS, split

__all__ = ["mqtt_settings", "read_settings", "read_template", "read_wifi"]

_EXAMPLE: Final = 'write two lines, ssid = "name" and password = "…", and type: chmod 600 FILE'


def read_settings(path: Path, secrets: Secrets) -> OpenBekenSettings:
    """A settings file. Raises FileError, ConfigError by line and field, MissingExtra."""
    with needs_pydantic("a settings file", extra="run"):
        from pydantic import ValidationError

        from wattrail.device.settings_schema import DeviceSettings

        written = read_model(DeviceSettings, read_text(path), str(path))
        try:
            settings = written.settings()
        except ValidationError as error:
            raise ConfigError(f"{path}: {error.errors()[0]['ctx']['error']}") from error
    login = written.mqtt.login or written.mqtt.host
    return settings if login is None else _with_login(settings, login, secrets, asked=written.mqtt.login is not None)


def read_template(path: Path) -> OpenBekenSettings:
    """OpenBeken's template of a board. Raises FileError, ConfigError."""
    return template_settings(read_text(path), str(path))


def read_wifi(path: Path) -> OpenBekenSettings:
    """Name and password of a network, and of a second one if it is there (``ssid2``, ``password2``).

    Raises FileError, ConfigError also where others may read the file; no message quotes what stands in it.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}", hint=_EXAMPLE) from error
    # Windows keeps rights in another way, of which these bits say nothing.
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            f"{path} has mode {stat.S_IMODE(mode):04o}: others may read its password; expected 0600",
            hint=f"type: chmod 600 {path}",
        )
    try:
        found = parse_toml(read_text(path), str(path))
    except ConfigError:
        # Not chained: the parser quotes what it stumbled over, which may be a password.
        raise ConfigError(f"{path} is not TOML", hint=_EXAMPLE) from None
    fields = {"ssid": "wifi_ssid", "password": "wifi_password", "ssid2": "wifi_ssid2", "password2": "wifi_password2"}
    unknown = found.keys() - fields.keys()
    if unknown or not found.get("ssid") or not all(isinstance(value, str) for value in found.values()):
        raise ConfigError(f"{path} needs ssid and password as text, and may have ssid2 and password2", hint=_EXAMPLE)
    return OpenBekenSettings({fields[name]: str(value) for name, value in found.items()})


def mqtt_settings(url: str, secrets: Secrets) -> OpenBekenSettings:
    """The broker of ``mqtt://host:port``, ``login=`` by name. Raises UrlError, ConfigError."""
    parts = split(url)
    if parts.scheme != "mqtt" or not parts.host:
        raise ConfigError(f"{url} is not a broker", hint="mqtt://192.168.1.2, or mqtt://broker.lan:1883")
    settings = OpenBekenSettings({"mqtt_host": parts.host}, {"mqtt_port": parts.port or MQTT_PORTS["mqtt"]})
    login = parts.query.get("login")
    return _with_login(settings, login or parts.host, secrets, asked=login is not None)


def _with_login(settings: OpenBekenSettings, name: str, secrets: Secrets, *, asked: bool) -> OpenBekenSettings:
    found = secrets.required(name) if asked else secrets.find(name)
    if found is None:
        return settings
    return replace(settings, texts={**settings.texts, "mqtt_user": found.user, "mqtt_password": found.password})
