"""A gateway as a process of its own, whose configuration is changed through its interface."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

WAIT_S = 60.0
HOUSE = '[[meter]]\nname = "house"   # under the stairs\nurl = "twin://pziot-e01?watts=1000&seed=7"\n'


class Gateway:
    """Runs ``wattrail run`` in a folder, with a file or without one."""

    def __init__(self, folder: Path, *tables: str, options: tuple[str, ...] = ()) -> None:
        self.file = folder / "wattrail.toml"
        if tables:
            self.file.write_text("".join(tables) + f'[store]\npath = "{folder}/w.sqlite"\n[web]\nport = 0\n')
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wattrail", "run", "--no-open", *options],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "XDG_CONFIG_HOME": str(folder / "config"), "XDG_DATA_HOME": str(folder / "data")},
        )  # fmt: skip
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()

    def ask(self, what: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """One request: its status, and what came back as JSON."""
        method, path = what.split()
        connection = HTTPConnection(urlsplit(self.address).netloc, timeout=WAIT_S)
        try:
            content = None if body is None else json.dumps(body)
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, f"/api/v1/{path}", content, {"Content-Type": "application/json", **given})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None
        finally:
            connection.close()

    def change(self, table: str, item: int | None, value: object, **headers: str) -> tuple[int, Any]:
        """Change one table of the file as it is now."""
        version = self.until("settings", bool)["version"]
        change = {"table": table, "item": item, "value": value}
        return self.ask("PATCH settings", {"version": version, "changes": [change]}, **headers)

    def until(self, path: str, is_so: Callable[[Any], bool]) -> Any:
        """What a path gives once it is so; the page may start again meanwhile."""
        end, found = time.monotonic() + WAIT_S, None
        while time.monotonic() < end:
            try:
                status, found = self.ask(f"GET {path}")
            except (OSError, HTTPException):
                continue
            if status == 200 and is_so(found):
                return found
        raise AssertionError(f"{path} after {WAIT_S:.0f} s: {found}")

    def stop(self) -> None:
        """End it as a person does."""
        self.process.terminate()
        self.process.communicate(timeout=WAIT_S)
