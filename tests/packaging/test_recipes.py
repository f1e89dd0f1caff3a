"""The recipes say the same as the program: versions, paths, user, and what a package never does."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

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
    assert "/api/v1/health" in last
    assert "pip" not in last


def test_what_the_container_copies_is_let_through_to_its_builder() -> None:
    ignore = (PACKAGING / "container" / "Containerfile.dockerignore").read_text(encoding="utf-8").split()
    copied = [
        word for line in re.findall(r"^COPY (?!--from)(.*)$", CONTAINER, re.MULTILINE) for word in line.split()[:-1]
    ]
    assert copied
    assert {f"!{word}" for word in copied} <= set(ignore)
