"""A WebSocket server that knows the commands of Home Assistant's recorder: for logins, versions and units."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

TOKEN = "a-long-lived-token"


@dataclass
class HomeAssistantStub:
    """Entities by unique id, and the hours of each as (state, sum) in kWh by their unix time."""

    version: str = "2025.4.4"
    entities: dict[str, str] = field(default_factory=dict)
    hours: dict[str, dict[float, tuple[float, float]]] = field(default_factory=dict)
    unit: str = "kWh"
    is_admin: bool = True
    imports: list[dict[str, Any]] = field(default_factory=list)
    was_asked: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, connection: ServerConnection) -> None:
        send = lambda **content: connection.send(json.dumps(content))  # noqa: E731 two lines of it would say no more
        send(type="auth_required", ha_version=self.version)
        if json.loads(connection.recv())["access_token"] != TOKEN:
            send(type="auth_invalid", message="Invalid access token or password")
            return
        send(type="auth_ok", ha_version=self.version)
        try:
            for text in connection:
                message = json.loads(text)
                if not self.is_admin:
                    error = {"code": "unauthorized", "message": "Unauthorized"}
                    send(id=message["id"], type="result", success=False, error=error)
                    continue
                send(id=message["id"], type="result", success=True, result=self.result(message))
        except ConnectionClosed:
            return

    def result(self, message: dict[str, Any]) -> Any:
        match message["type"]:
            case "config/entity_registry/list":
                return [
                    {"platform": "mqtt", "unique_id": unique, "entity_id": entity}
                    for unique, entity in self.entities.items()
                ]
            case "recorder/info":
                return {"backlog": 0, "migration_in_progress": False}
            case "recorder/get_statistics_metadata":
                known = [one for one in message["statistic_ids"] if one in self.hours]
                return [
                    {"statistic_id": one, "has_sum": True, "statistics_unit_of_measurement": self.unit} for one in known
                ]
            case "recorder/statistics_during_period":
                self.was_asked.set()
                return {one: self._rows(one, message) for one in message["statistic_ids"]}
            case "recorder/import_statistics":
                self.imports.append(message)
                hours = self.hours.setdefault(message["metadata"]["statistic_id"], {})
                scale = {"kWh": 1.0, "Wh": 1000.0}[self.unit]
                for one in message["stats"]:
                    start = datetime.fromisoformat(one["start"]).timestamp()
                    hours[start] = (one["state"] / scale, one["sum"] / scale)
        return None

    def _rows(self, entity: str, message: dict[str, Any]) -> list[dict[str, float]]:
        first, last = (datetime.fromisoformat(message[key]).timestamp() for key in ("start_time", "end_time"))
        found = sorted(self.hours.get(entity, {}).items())
        return [
            {"start": at * 1000, "state": state, "sum": total} for at, (state, total) in found if first <= at < last
        ]


@contextmanager
def serving(stub: HomeAssistantStub, *, tls: ssl.SSLContext | None = None) -> Iterator[HomeAssistantStub]:
    with serve(stub.answer, "127.0.0.1", stub.port, ssl=tls) as server:
        stub.port = server.socket.getsockname()[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()
