"""The Debian package in a Debian: installed, updated, removed and purged, and the databases stay.

``make package`` builds it. A root file system to install it into is named by DEBIAN_ROOT, as a tar file such as
``mmdebstrap --variant=minbase --include=python3,adduser,ca-certificates,tzdata bookworm debian.tar`` makes. Needs root.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = sorted((Path(__file__).parents[2] / "dist").glob("wattrail_*.deb"))
ROOT = os.environ.get("DEBIAN_ROOT", "")

pytestmark = [
    pytest.mark.skipif(not ROOT, reason="DEBIAN_ROOT names no root file system"),
    pytest.mark.skipif(not PACKAGES, reason="make package has built no Debian package"),
    pytest.mark.skipif(os.geteuid() != 0, reason="chroot needs root"),
]


class Debian:
    """A file system with Debian in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["tar", "-xf", ROOT, "-C", folder], check=True)
        (folder / "tmp" / "wattrail.deb").write_bytes(PACKAGES[-1].read_bytes())

    def run(self, *words: str, code: int = 0) -> str:
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            ["/usr/sbin/chroot", self.folder, *words], env=environment, capture_output=True, text=True, timeout=300,
            check=False,
        )  # fmt: skip
        assert done.returncode == code, done
        return done.stdout + done.stderr

    def as_service(self, *words: str, code: int = 0) -> str:
        """A command as the unit runs it."""
        places = ["HOME=/var/lib/wattrail", "XDG_DATA_HOME=/var/lib", "XDG_CONFIG_HOME=/etc"]
        who = ["setpriv", "--reuid", "wattrail", "--regid", "wattrail", "--init-groups"]
        return self.run(*who, "env", "-C", "/var/lib/wattrail", *places, *words, code=code)

    def files(self, folder: str) -> set[str]:
        found = self.folder / folder
        return {path.name for path in found.iterdir()} if found.is_dir() else set()


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    return Debian(tmp_path_factory.mktemp("debian"))


def test_installed_updated_removed_and_purged_it_keeps_every_database(debian: Debian) -> None:
    debian.run("dpkg", "-i", "/tmp/wattrail.deb")
    assert debian.files("etc/wattrail") == {"wattrail.toml", "logins.env"}
    assert (debian.folder / "etc/wattrail/logins.env").stat().st_mode & 0o777 == 0o600
    assert "nothing is wrong" in debian.as_service("wattrail", "config", "check")
    stored = debian.as_service("timeout", "-s", "TERM", "10", "wattrail", "run", "--port", "0", code=124)
    assert "SIMULATED" in stored
    assert "simulated.sqlite" in debian.files("var/lib/wattrail")
    assert "error " not in debian.as_service("wattrail", "doctor")

    mine = debian.folder / "etc/wattrail/wattrail.toml"
    mine.write_text(mine.read_text() + "# mine\n")
    debian.run("dpkg", "-i", "/tmp/wattrail.deb")  # an update
    assert mine.read_text().endswith("# mine\n")

    before = debian.files("var/lib/wattrail")
    debian.run("dpkg", "-r", "wattrail")
    assert not (debian.folder / "usr/lib/wattrail").exists()
    assert (debian.files("var/lib/wattrail"), mine.exists()) == (before, True)

    assert "databases in /var/lib/wattrail are kept" in debian.run("dpkg", "-P", "wattrail")
    assert debian.files("var/lib/wattrail") == before
    assert not (debian.folder / "etc/wattrail").exists()
    assert not list(debian.folder.glob("usr/*/wattrail*")) + list(debian.folder.glob("lib/systemd/system/wattrail*"))
