"""What a person has of an unknown board, read into observations: a configuration, a template, a device that runs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from wattrail.board import (
    ObservedWiring,
    parse_configuration,
    wiring_of_configuration,
    wiring_of_device,
    wiring_of_template,
)
from wattrail.cli.board.dump import observed_in_dump
from wattrail.cli.exits import UsageError
from wattrail.credentials import Secrets
from wattrail.errors import UnexpectedReply
from wattrail.files import decode_json, read_bytes
from wattrail.image import MAX_FILE_BYTES
from wattrail.sanitize import printable
from wattrail.transport.http import HttpServer
from wattrail.urls import split

__all__ = ["observe"]

_SCHEME: Final = "openbeken"
_HTTP_PORT: Final = 80


def observe(given: str) -> tuple[ObservedWiring, ...]:
    """What one source says: ``openbeken://HOST``, or a file. A dump may hold two configurations.

    Raises UrlError, PortError and LinkError for a device, FileError, ImageError and ConfigError for a file.
    """
    return (_of_device(given),) if "://" in given else _of_file(Path(given))


def _of_device(given: str) -> ObservedWiring:
    url = split(given)
    if url.scheme != _SCHEME:
        raise UsageError(
            f"{url}: only a device that runs OpenBeken says how its pins are used",
            hint="write openbeken://192.168.1.20, or name a file",
        )
    login = Secrets().find(url.query.get("login") or url.host, default_user="admin")
    server = HttpServer(url.host, url.port or _HTTP_PORT, credentials=login)
    pins, info = asyncio.run(_asked(server))
    return wiring_of_device(pins, info, str(url).partition("?")[0])


async def _asked(server: HttpServer) -> tuple[Mapping[str, object], Mapping[str, object]]:
    found = [await _object(server, path) for path in ("/api/pins", "/api/info")]
    return found[0], found[1]


async def _object(server: HttpServer, path: str) -> Mapping[str, object]:
    answer = await server.get(path)
    try:
        document = decode_json(answer.body.decode("utf-8", errors="replace"))
    except ValueError:
        document = None
    if answer.status != 200 or not isinstance(document, Mapping):
        raise UnexpectedReply(
            f"{server.name}{path}: no JSON object (status {answer.status})",
            hint="check that this is OpenBeken; in safe mode it has no /api: restart it",
        )
    return document


def _of_file(path: Path) -> tuple[ObservedWiring, ...]:
    data, name = read_bytes(path, limit=MAX_FILE_BYTES), printable(path.name)
    if b"\0" in data or data.startswith(b"PK"):
        return observed_in_dump(path)
    text = data.decode("utf-8-sig", errors="replace")
    try:
        document = decode_json(text)
    except ValueError:
        document = None
    if isinstance(document, Mapping) and isinstance(document.get("pins"), Mapping):
        return (wiring_of_template(document, name),)
    if isinstance(document, Mapping) and isinstance(document.get("rolenames"), list):
        return (wiring_of_device(document, {}, name),)
    return (wiring_of_configuration(parse_configuration(text, name), name),)
