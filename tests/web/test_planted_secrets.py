"""A planted password, token and cookie: in no log, answer, file or process list of a gateway that runs."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from tests.web.access_rig import Site
from tests.web.conftest import Server, served
from wattrail.access import Scope
from wattrail.store.access import AccessBook

PASSWORD = "planted horse battery"
READ = (
    "/api/v1/meters", "/api/v1/about", "/api/v1/publishers", "/api/v1/session", "/api/v1/audit", "/api/v1/health",
    "/api/v1/openapi.json", "/api/v1/alarms", "/metrics", "/", "/login",
)  # fmt: skip


class Twin(Site):
    """The database that the scene of the twin uses."""

    @property
    def database(self) -> Path:
        return self.folder / "twin.sqlite"


def asked(address: str, method: str, path: str, body: object = None, **headers: str) -> tuple[int, HTTPResponse, bytes]:
    connection = HTTPConnection(urlsplit(address).netloc, timeout=60)
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, answer, answer.read()
    finally:
        connection.close()


def processes_of(server: Server) -> bytes:
    """Arguments and environment of the gateway and of its children."""
    found = b""
    for folder in Path("/proc").iterdir():
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1] if folder.name.isdigit() else ""
            if str(server.pid) in {folder.name, parent}:
                found += (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="the process list is read from /proc")
def test_no_secret_is_found_anywhere_it_does_not_belong(tmp_path: Path) -> None:
    site = Twin(tmp_path)
    site.user("anna", Scope.ADMIN, PASSWORD)
    token = site.token("program", Scope.ADMIN)
    answers = b""
    with served("twin", tmp_path) as (address, server):
        status, answer, body = asked(address, "POST", "/api/v1/session", {"user": "anna", "password": PASSWORD})
        assert status == 200
        cookie = answer.headers["set-cookie"].partition(";")[0]
        secrets = [PASSWORD, token, cookie.partition("=")[2]]
        answers += body
        signed_in = {"Cookie": cookie}, {"Authorization": f"Bearer {token}"}
        for headers in signed_in:
            for path in READ:
                status, _, body = asked(address, "GET", path, **headers)
                assert status in {200, 404}, path
                answers += body
        status, _, body = asked(
            address, "POST", "/api/v1/alarms/1/acknowledge", Cookie=cookie, Origin=address.rstrip("/")
        )
        assert status == 404
        for secret in secrets:  # where they do not belong: typed as a name, in a path, a query, a header
            answers += asked(address, "POST", "/api/v1/session", {"user": secret[:64], "password": "a wrong one"})[2]
            answers += asked(address, "POST", "/api/v1/session", {"user": {"password": secret}})[2]
            answers += asked(address, "GET", f"/api/v1/audit?limit={quote(secret)}")[2]
            answers += asked(address, "GET", "/api/v1/meters", Authorization=f"Basic {secret}")[2]
            answers += asked(address, "GET", "/api/v1/meters", Authorization=f"Bearer x{secret}")[2]
            answers += asked(address, "GET", "/api/v1/meters", Cookie=f"wattrail=x{secret}")[2]
            answers += asked(address, "GET", "/api/v1/meters", X_Api_Key=secret)[2]
        audit = json.loads(asked(address, "GET", "/api/v1/audit")[2])
        processes = processes_of(server)
        server.terminate()
        out, err = server.communicate(timeout=60)
    files = b"".join(path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file())
    places = {"answers": answers, "files": files, "log": (out + err).encode(), "processes": processes}
    assert b"wattrail" in processes
    assert b"$argon2id$" in files  # the hash is what is kept
    for secret in secrets:
        for form in (secret, quote(secret), base64.b64encode(secret.encode()).decode()):
            assert [place for place, content in places.items() if form.encode() in content] == [], form[:12]
    assert "$argon2id$" not in answers.decode("utf-8", "replace")
    assert {("anna", "login", "done"), ("anna", "POST /api/v1/alarms/1/acknowledge", "404")} <= {
        (one["who"], one["action"], one["result"]) for one in audit
    }


def test_what_the_page_reports_is_checked_before_it_is_written(tmp_path: Path) -> None:
    site, now = Site(tmp_path), datetime.now(UTC).isoformat()
    site.user("anna")
    whole = {"who": "a", "origin": "b", "action": "c", "subject": "", "result": "d"}
    for message in (
        {"audit": {"at": now}},
        {"audit": {**whole, "at": "2026-06-21T12:00:00"}},
        {"audit": {**whole, "at": "yesterday"}},
        {"audit": "nonsense"},
        {"rehash": {"name": "anna", "old": "x", "new": "plain"}},
        {"rehash": {"name": "anna", "old": "x", "new": "$argon2id$" + "x" * 300}},
        {"used": {"prefix": "abc"}},
    ):
        with pytest.raises(ValueError, match=r"."):
            site.report(**message)
    site.report(rehash={"name": "anna", "old": "another hash", "new": "$argon2id$v=19$x"})
    site.report(audit={**whole, "at": now, "who": "x" * 5000})
    with AccessBook(site.database, read_only=True) as book:
        user, (newest, *_) = book.user("anna"), book.audit(10)
    assert user is not None
    assert user.password_hash != "$argon2id$v=19$x"  # it was not the hash that is kept
    assert len(newest.who) == 200
