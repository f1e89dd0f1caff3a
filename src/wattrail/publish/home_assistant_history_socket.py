"""Home Assistant's WebSocket: the few commands by which its hourly statistics are read and written.

The token is sent once, in answer to ``auth_required``, and stands in no message of this module. Energy comes in and
goes out in milliwatt-hours; on the wire it is in kilowatt-hours, or in the unit in which the statistics are stored.
Source: ha/recorder.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wattrail.errors import AccessDenied, PortLost, PortOpenError, UnexpectedReply, needs_library
from wattrail.publish.authority import not_trusted, trusting
from wattrail.publish.home_assistant_history import HourlyRow
from wattrail.sanitize import printable

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

__all__ = ["HomeAssistantSocket", "StoredStatistic", "open_home_assistant"]

TIMEOUT_S: Final = 10.0
_MAX_MESSAGE: Final = 64 << 20
"""A year of hours of one register is 1 MB, the list of ten thousand entities 6 MB."""

_ROWS_AT_ONCE: Final = 2000
"""Hours of one import, about 200 KB: Home Assistant takes messages of 4 MB."""

_MWH_OF: Final = {"mWh": 1, "Wh": 10**3, "kWh": 10**6, "MWh": 10**9, "GWh": 10**12, "TWh": 10**15}

_TOKEN_HINT: Final = "docs/publish.md, Home Assistant's history, says how to make a token and where it is stored"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStatistic:
    """Statistics of one entity: their id, which is the entity's, and the unit that they are stored in."""

    statistic_id: str
    unit: str = "kWh"


class HomeAssistantSocket:
    """An authenticated connection. Raises PortLost, AccessDenied and UnexpectedReply."""

    def __init__(self, connection: ClientConnection, shown: str, version: str, began: datetime | None = None) -> None:
        self._connection, self._shown, self.version = connection, shown, version
        self.began = began  # by Home Assistant's own clock
        self._number = 0

    def entities(self) -> Mapping[str, str]:
        """The ids of all entities that came by MQTT, by their unique ids, whatever people have renamed."""
        rows = self._command("config/entity_registry/list")
        return {str(row["unique_id"]): str(row["entity_id"]) for row in rows if row.get("platform") == "mqtt"}

    def statistic(self, statistic_id: str) -> StoredStatistic | None:
        """What is stored under an id; None before its first statistics."""
        rows = self._command("recorder/get_statistics_metadata", statistic_ids=[statistic_id])
        found = next((row for row in rows if row["statistic_id"] == statistic_id), None)
        if found is None:
            return None
        unit = found.get("statistics_unit_of_measurement")
        if not found.get("has_sum") or unit not in _MWH_OF:
            raise UnexpectedReply(
                f"{self._shown}: the statistics of {printable(statistic_id)} are in {unit!r}, "
                f"expected one of {', '.join(_MWH_OF)}",
                hint="Home Assistant's developer tools, Statistics, change the unit",
            )
        return StoredStatistic(statistic_id=statistic_id, unit=unit)

    def rows(self, statistic_id: str, start: datetime, end: datetime) -> Mapping[datetime, HourlyRow]:
        """The hourly statistics in ``[start, end)``, by the start of their hour."""
        found = self._command(
            "recorder/statistics_during_period",
            start_time=start.isoformat(),
            end_time=end.isoformat(),
            statistic_ids=[statistic_id],
            period="hour",
            units={"energy": "kWh"},
            types=["state", "sum"],
        )
        return {row.start: row for row in map(_hourly, found.get(statistic_id, ()))}

    def import_rows(self, statistic: StoredStatistic, rows: Sequence[HourlyRow]) -> None:
        """Write hours; an hour that is there is replaced."""
        metadata = self._metadata(statistic)
        scale = _MWH_OF[statistic.unit]
        for at in range(0, len(rows), _ROWS_AT_ONCE):
            stats = [
                {"start": row.start.isoformat(), "state": _in(scale, row.state_mwh), "sum": _in(scale, row.sum_mwh)}
                for row in rows[at : at + _ROWS_AT_ONCE]
            ]
            self._command("recorder/import_statistics", metadata=metadata, stats=stats)

    def adjust_sum(self, statistic_id: str, start: datetime, by_mwh: int) -> None:
        """Add energy to the running sum of every hour, and every five minutes, from a moment on."""
        self._command(
            "recorder/adjust_sum_statistics",
            statistic_id=statistic_id,
            start_time=start.isoformat(),
            adjustment=by_mwh / _MWH_OF["kWh"],
            adjustment_unit_of_measurement="kWh",
        )

    def is_busy(self) -> bool:
        """Whether the recorder still has something to write: commands are queued there before they are carried out."""
        info = self._command("recorder/info")
        return bool(info.get("backlog")) or bool(info.get("migration_in_progress"))

    def _metadata(self, statistic: StoredStatistic) -> dict[str, object]:
        newer = {"mean_type": 0, "unit_class": "energy"}  # 2025.10 and earlier refuse them, 2026.11 wants them
        return {
            **(newer if _version(self.version) >= (2025, 11) else {"has_mean": False}),
            "has_sum": True,
            "name": None,
            "source": "recorder",
            "statistic_id": statistic.statistic_id,
            "unit_of_measurement": statistic.unit,
        }

    def _command(self, type_: str, **fields: object) -> Any:  # noqa: ANN401 - any JSON
        self._number += 1  # Home Assistant refuses an id that does not rise
        _send(self._connection, {"id": self._number, "type": type_, **fields}, self._shown)
        answer = _receive(self._connection, self._shown)
        while answer.get("id") != self._number:
            answer = _receive(self._connection, self._shown)
        if answer.get("success"):
            return answer.get("result")
        error = answer.get("error") or {}
        text = f"{self._shown} refuses {type_}: {printable(str(error.get('message')), limit=200)}"
        if error.get("code") == "unauthorized":
            raise AccessDenied(text, hint=f"the token must be that of an administrator; {_TOKEN_HINT}")
        raise UnexpectedReply(text, hint="its recorder must be on; statistics of single entities can be excluded there")


@contextmanager
def open_home_assistant(url: str, token: str | None, *, ca_file: Path | None = None) -> Iterator[HomeAssistantSocket]:
    """Home Assistant at ``http://HOST:8123`` or ``https://``, for a block.

    Raises PortOpenError, AccessDenied, and FileError for ``ca_file``.
    """
    if not token:
        raise AccessDenied(f"{url}: no token is stored for Home Assistant", hint=_TOKEN_HINT)
    with needs_library("home_assistant_history", "websockets", extra="websocket"):
        from websockets.exceptions import InvalidHandshake, InvalidURI
        from websockets.sync.client import connect
    place = re.sub("^http", "ws", url).rstrip("/") + "/api/websocket"
    context = trusting(ca_file) if place.startswith("wss:") else None
    attempt = partial(connect, place, ssl=context, open_timeout=TIMEOUT_S, max_size=_MAX_MESSAGE)
    try:
        try:
            connection = attempt()
        except TimeoutError:  # seen once over TLS: connected, and never an answer to the handshake
            connection = attempt()
    except ssl.SSLCertVerificationError as error:
        raise not_trusted(url, error) from error
    except (OSError, InvalidHandshake, InvalidURI) as error:
        reason = printable(str(error) or type(error).__name__, limit=160)
        raise PortOpenError(f"{url}: cannot connect: {reason}", hint="check that Home Assistant runs there") from error
    with connection:
        yield HomeAssistantSocket(connection, url, _log_in(connection, url, token), _server_time(connection))


def _log_in(connection: ClientConnection, shown: str, token: str) -> str:
    """Returns the version of Home Assistant."""
    _receive(connection, shown)
    _send(connection, {"type": "auth", "access_token": token}, shown)
    answer = _receive(connection, shown)
    if answer.get("type") != "auth_ok":
        raise AccessDenied(f"{shown} refuses the token", hint=_TOKEN_HINT)
    return str(answer.get("ha_version", ""))


def _server_time(connection: ClientConnection) -> datetime | None:
    try:
        text = connection.response.headers.get("Date", "") if connection.response else ""
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        return None


def _send(connection: ClientConnection, message: Mapping[str, object], shown: str) -> None:
    from websockets.exceptions import ConnectionClosed

    try:
        connection.send(json.dumps(message))
    except (ConnectionClosed, OSError) as error:
        raise PortLost(f"{shown}: the connection was lost") from error


def _receive(connection: ClientConnection, shown: str) -> dict[str, Any]:
    from websockets.exceptions import ConnectionClosed

    try:
        message = json.loads(connection.recv(TIMEOUT_S * 3))
    except (ConnectionClosed, OSError) as error:  # TimeoutError is an OSError
        raise PortLost(f"{shown}: the connection was lost, or no answer came") from error
    except ValueError as error:
        raise UnexpectedReply(f"{shown} does not answer as Home Assistant does") from error
    if not isinstance(message, dict):
        raise UnexpectedReply(f"{shown} does not answer as Home Assistant does")
    return message


def _hourly(row: Mapping[str, Any]) -> HourlyRow:
    start = datetime.fromtimestamp(row["start"] / 1000, UTC)
    return HourlyRow(start=start, state_mwh=_mwh(row.get("state")), sum_mwh=_mwh(row.get("sum")))


def _mwh(kwh: float | None) -> int | None:
    return None if kwh is None else round(kwh * _MWH_OF["kWh"])


def _in(scale: int, mwh: int | None) -> float | None:
    return None if mwh is None else mwh / scale


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])
