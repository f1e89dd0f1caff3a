"""A real PostgreSQL server of this test run: on a socket in a folder of its own, and gone afterwards.

``initdb`` refuses to run as root, so root starts it as another user. Each story has a schema of its own: a copy of a
whole database by a template is made as quickly, and leaves 300 files to remove.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg

from wattrail.database_address import PostgresAddress

__all__ = ["OWNER", "PostgresServer", "missing_server", "programs", "running_server"]

LONGEST_S = 60
OWNER = "wattrail"

_SETTINGS = {
    "listen_addresses": "", "max_connections": "60", "shared_buffers": "16MB", "wal_level": "minimal",
    "max_wal_senders": "0", "lc_messages": "C", "autovacuum": "off",
}  # fmt: skip
_UNTIL_WE_END = 'exec 3<&0; "$@" 3<&- & server=$!; (cat <&3 >/dev/null; kill -QUIT $server) 2>/dev/null & wait $server'
"""A server outlives no test run, however that ends: our end of its input closes with our process."""

_ACCESS = f"""\
local all {OWNER}   trust
local all reader    trust
local all guarded   scram-sha-256
"""


def programs() -> Path | None:
    """The folder of initdb, postgres and pg_dump; Debian keeps them out of the way."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return places[-1] if places and (places[-1] / "postgres").exists() else None


def missing_server() -> str | None:
    """Why no server can be started here; None if one can."""
    return None if programs() else "there is no PostgreSQL server on this machine: apt-get install postgresql"


def _user() -> str | None:
    """As whom a server runs where we are root."""
    if os.getuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


@dataclass
class PostgresServer:
    """A server that can be stopped, killed and started under its clients."""

    folder: Path
    fsync: str = "off"
    process: subprocess.Popen[bytes] | None = None
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def start(self) -> None:
        """Start it, and return once it answers."""
        found = programs()
        assert found is not None
        settings = [f"--{name}={value}" for name, value in {**_SETTINGS, **self._disk()}.items()]
        command = [str(word) for word in (found / "postgres", "-D", self.folder / "data", "-k", self.folder)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", _UNTIL_WE_END, "sh", *command, *settings],
                stdin=subprocess.PIPE, stdout=log, stderr=log, user=_user(), cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        command = [str(found / "pg_isready"), "-q", "-h", str(self.folder), "-U", OWNER, "-d", "postgres"]
        while subprocess.run(command, check=False, timeout=LONGEST_S).returncode:
            assert self.process.poll() is None, (self.folder / "log").read_text()

    def _disk(self) -> dict[str, str]:
        """What is only of use where the disk counts."""
        return {"fsync": self.fsync, "full_page_writes": self.fsync}

    def stop(self) -> None:
        """End it as an administrator does: connections are cut, what is committed is written."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGQUIT)

    def address(self) -> PostgresAddress:
        """A schema that does not exist yet."""
        schema = f"test_{next(self._numbers)}"
        return PostgresAddress(host=str(self.folder), database="postgres", schema=schema, user=OWNER)

    def execute(self, *statements: str) -> None:
        """Carry out statements as the owner."""
        with psycopg.connect(host=str(self.folder), dbname="postgres", user=OWNER, autocommit=True) as connection:
            for sql in statements:
                connection.execute(sql.encode())

    def _end(self, number: int) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        os.kill(int((self.folder / "data/postmaster.pid").read_text().split()[0]), number)
        self.process.wait(LONGEST_S)
        assert self.process.stdin is not None
        self.process.stdin.close()


@contextmanager
def running_server(*, fsync: str = "off") -> Iterator[PostgresServer]:
    """A server with one role, who owns it. Stories need no disk; benchmarks do."""
    found, user = programs(), _user()
    assert found is not None
    folder = Path(tempfile.mkdtemp(prefix="wattrail-postgres-"))  # short: a socket's path has 107 bytes at most
    server = PostgresServer(folder, fsync)
    try:
        if user is not None:
            shutil.chown(folder, user)
        subprocess.run(
            [found / "initdb", "-D", folder / "data", "-U", OWNER, "-E", "UTF8", "--locale=C", "-N", "-A", "trust"],
            check=True, capture_output=True, user=user, cwd=folder, timeout=LONGEST_S,
        )  # fmt: skip
        (folder / "data/pg_hba.conf").write_text(_ACCESS)
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
