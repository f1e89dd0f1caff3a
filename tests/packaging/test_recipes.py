"""The recipes say the same as the program: versions, paths, user, and what a package never does."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType

import pytest

from tests.web.test_tls import made
from wattrail.web.tls import server_context

PACKAGING = Path(__file__).parents[2] / "packaging"
UNIT = (PACKAGING / "systemd" / "wattrail.service").read_text(encoding="utf-8")
CONTAINER = (PACKAGING / "container" / "Containerfile").read_text(encoding="utf-8")
DEBIAN = PACKAGING / "debian"


def test_no_script_of_the_package_deletes_a_database() -> None:
    for name in ("postinst", "prerm", "postrm"):
        text = (DEBIAN / name).read_text(encoding="utf-8")
        deleted = re.findall(r"^\s*(rm .*|find .*-exec rm.*)$", text, re.MULTILINE)
        assert not [line for line in deleted if "/var/lib" in line], name


def test_every_script_is_a_right_shell_script_and_can_be_run() -> None:
    for name in ("build", "wattrail", "postinst", "prerm", "postrm"):
        assert os.access(DEBIAN / name, os.X_OK), name
        assert subprocess.run(["sh", "-n", DEBIAN / name], check=False).returncode == 0, name


def test_the_package_changes_only_program_and_user_of_the_unit() -> None:
    assert UNIT.count("/opt/wattrail/bin/wattrail") == 2, "start and reload"
    assert UNIT.count("\nDynamicUser=yes\n") == 1
    build = (DEBIAN / "build").read_text(encoding="utf-8")
    assert "s|/opt/wattrail/bin/wattrail|/usr/bin/wattrail|" in build
    assert "s|^DynamicUser=yes|User=wattrail|" in build


def test_the_container_has_a_user_of_its_own_and_keeps_data_in_volumes() -> None:
    last = CONTAINER.rpartition("\nFROM ")[2]
    assert re.search(r"^USER (?!0\b)\d+:\d+$", last, re.MULTILINE)
    assert 'VOLUME ["/etc/wattrail", "/var/lib/wattrail"]' in last
    assert "HEALTHCHECK" in last
    assert "health.py" in last
    assert "pip" not in last


def test_a_service_that_nobody_watches_reads_meters_before_its_first_user() -> None:
    assert '"run", "--host", "0.0.0.0", "--wait-for-user"' in CONTAINER
    assert re.search(r"^ExecStart=\S+ run --wait-for-user$", UNIT, re.MULTILINE)


@pytest.fixture
def checked() -> ModuleType:
    """The health check of the container."""
    spec = importlib.util.spec_from_file_location("container_health", PACKAGING / "container" / "health.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def answering(body: dict[str, object], context: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a page, by TLS where there is a context."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/api/v1/health" else 404)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_arguments: object) -> None:
            pass

    class Page(HTTPServer):
        def handle_error(self, *_arguments: object) -> None:
            pass

    with Page(("127.0.0.1", 0), Answer) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("by_tls", [False, True])
def test_the_health_check_says_that_the_page_waits(
    checked: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], by_tls: bool
) -> None:
    context = server_context(made(tmp_path, "page")) if by_tls else None
    with answering({"status": "ok", "waits_for_user": True}, context) as port:
        assert checked.main(port) == 0
    assert capsys.readouterr().out.startswith("ok\nthe page waits for its first user: docker exec -it ")
    assert checked.main(port) == 1
    assert "the page does not answer" in capsys.readouterr().out


def test_the_user_of_the_service_means_the_folders_of_the_unit() -> None:
    wrapper = (DEBIAN / "wattrail").read_text(encoding="utf-8")
    folders = re.search(r"^Environment=(.*)$", UNIT, re.MULTILINE)
    assert folders is not None
    assert "XDG_DATA_HOME=%S XDG_CONFIG_HOME=/etc" in folders[1]
    assert "${XDG_DATA_HOME:-/var/lib}" in wrapper
    assert "${XDG_CONFIG_HOME:-/etc}" in wrapper


def test_what_the_container_copies_is_let_through_to_its_builder() -> None:
    ignore = (PACKAGING / "container" / "Containerfile.dockerignore").read_text(encoding="utf-8").split()
    copied = [
        word for line in re.findall(r"^COPY (?!--from)(.*)$", CONTAINER, re.MULTILINE) for word in line.split()[:-1]
    ]
    assert copied
    assert {f"!{word}" for word in copied} <= set(ignore)
