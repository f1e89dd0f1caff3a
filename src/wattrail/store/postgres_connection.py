"""One connection to a PostgreSQL server: its login, its settings, and what the server must be able to do."""

from __future__ import annotations

from typing import Any, Final
from zlib import crc32

import psycopg
from psycopg.pq import ConnStatus

from wattrail.credentials import Secrets
from wattrail.database_address import PostgresAddress
from wattrail.errors import StoreError
from wattrail.store.postgres_dialect import adapt
from wattrail.store.postgres_errors import as_store_error

__all__ = ["Connection", "advisory_key", "connect", "is_alive"]

Connection = psycopg.Connection[tuple[Any, ...]]

MIN_SERVER_VERSION: Final = 140000
"""PostgreSQL 14: the oldest that its makers maintain. Commits are looked up by functions of version 13."""

_CONNECT_WITHIN_S: Final = 5
_GATEWAY, _WRITER = 0x57415447, 0x57415457
"""``WATG`` and ``WATW``: the upper half of our advisory locks. The lower half is the schema."""

_SETTINGS: Final = {
    "lock_timeout": "5s",  # as long as a statement of SQLite waits for another process
    "jit": "off",  # compiling costs more than any of our statements
    # The server notices within half a minute that our machine is gone, and frees the place of the gateway.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20000",
}


def advisory_key(address: PostgresAddress, *, is_gateway: bool) -> int:
    """The number of an advisory lock of a schema: that of its gateway, or of whoever writes."""
    return (_GATEWAY if is_gateway else _WRITER) << 32 | crc32(address.schema.encode())


def connect(address: PostgresAddress, subject: str, *, read_only: bool = False) -> Connection:
    """Open a connection; each statement is a transaction until one begins. Raises StoreError, StoreUnavailable."""
    settings = {**_SETTINGS, "search_path": address.schema}
    if read_only:
        settings["default_transaction_read_only"] = "on"
    try:
        connection: Connection = psycopg.connect(
            autocommit=True, connect_timeout=_CONNECT_WITHIN_S, application_name="wattrail", client_encoding="UTF8",
            options=" ".join(f"-c {name}={value}" for name, value in settings.items()),
            keepalives_idle=10, keepalives_interval=5, keepalives_count=3, tcp_user_timeout=20_000,
            **_place_and_login(address),
        )  # fmt: skip
    except psycopg.Error as error:
        raise as_store_error(error, subject, address, is_connecting=True) from error
    try:
        _check_server(connection, subject)
    except BaseException:
        connection.close()
        raise
    adapt(connection)
    return connection


def is_alive(connection: Connection) -> bool:
    """Whether the server still has this connection, as far as it has reported; nothing is sent."""
    if connection.closed:
        return False
    try:
        for _ in range(3):  # its last words, the end of the stream, and what libpq makes of it
            connection.pgconn.consume_input()
    except psycopg.Error:
        return False
    return connection.pgconn.status == ConnStatus.OK


def _place_and_login(address: PostgresAddress) -> dict[str, Any]:
    """What libpq is given; what is left out it finds in its environment, in services and in .pgpass."""
    given: dict[str, Any] = {
        "host": address.host, "port": address.port, "dbname": address.database, "user": address.user,
        "service": address.service, "sslmode": address.sslmode, "sslrootcert": address.sslrootcert,
    }  # fmt: skip
    name = address.login or ("" if address.host.startswith("/") else address.host)
    if name and (login := Secrets().find(name, default_user=address.user)) is not None:
        given["user"], given["password"] = address.user or login.user, login.password
    return {name: value for name, value in given.items() if value}


def _check_server(connection: Connection, subject: str) -> None:
    version, oldest = connection.info.server_version, MIN_SERVER_VERSION
    if version < oldest:
        raise StoreError(
            f"{subject}: the server is PostgreSQL {version // 10_000}, expected {oldest // 10_000} or later",
            hint="update the server",
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreError(
            f"{subject}: the database has encoding {encoding}, expected UTF8",
            hint="make another: CREATE DATABASE meters ENCODING 'UTF8' TEMPLATE template0",
        )
