"""The local key of a device with Tuya's firmware: a stored login with the device id as user, the key as password."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from wattrail.credentials import Credentials
from wattrail.errors import AccessDenied
from wattrail.network_meters.tuya_frames import KEY_SIZE, FrameKey, TuyaVersion
from wattrail.network_meters.tuya_session import TuyaSession

__all__ = ["TuyaAccess"]

_HINT: Final = "docs/sources.md, the local key: 'wattrail meter key' takes it out of a dump of the device"


@dataclass(frozen=True, slots=True)
class TuyaAccess:
    """What opens a session. ``login`` is what is stored under ``name``, None where nothing is."""

    name: str
    version: TuyaVersion
    device_id: str
    login: Credentials | None

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no error may show."""
        return () if self.login is None else self.login.forms

    def session(
        self, where: str, *, random: Callable[[int], bytes], points: Sequence[int], asks_by_point: bool
    ) -> TuyaSession:
        """A session for one connection. Raises AccessDenied where no usable key or no device id is stored."""
        user, key = self._stored(where)
        device_id = self.device_id or user
        # From 3.4 on a session asks for everything; before it each question names the device. Source: tuya/lan
        if not device_id and not self.version.has_session:
            raise AccessDenied(
                f"{where}: the device id is missing, and version {self.version} asks by it",
                hint="write id= in the URL, or store it as the user of the login",
            )
        return TuyaSession(
            where,
            device_id,
            FrameKey(self.version, key),
            random=random,
            points=points,
            asks_by_point=asks_by_point,
        )

    def _stored(self, where: str) -> tuple[str, bytes]:
        if self.login is None:
            raise AccessDenied(f"{where}: no local key is stored under the login '{self.name}'", hint=_HINT)
        user, key = self.login.user, self.login.password
        if len(key) != KEY_SIZE and len(f"{user}:{key}") == KEY_SIZE:
            user, key = "", f"{user}:{key}"  # a key alone that has a colon in it
        if len(key) != KEY_SIZE or not (key.isascii() and key.isprintable()):
            raise AccessDenied(
                f"{where}: the login '{self.name}' holds {len(key)} characters, "
                f"a local key has {KEY_SIZE} printable ones",
                hint=_HINT,
            )
        return user, key.encode("ascii")
