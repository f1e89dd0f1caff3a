"""The Debian package in a Debian: installed, updated, removed and purged, and the databases stay.

``make package`` builds it. A root file system to install it into is named by DEBIAN_ROOT, as a tar file such as
``mmdebstrap --variant=minbase --include=python3,adduser,ca-certificates,tzdata bookworm debian.tar`` makes. Needs root.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

PACKAGES = sorted((Path(__file__).parents[2] / "dist").glob("wattrail_*.deb"))
ROOT = os.environ.get("DEBIAN_ROOT", "")

pytestmark = [
    pytest.mark.skipif(not ROOT, reason="DEBIAN_ROOT names no root file system"),
    pytest.mark.skipif(not PACKAGES, reason="make package has built no Debian package"),
    pytest.mark.skipif(os.geteuid() != 0, reason="chroot needs root"),
]


AS_SERVICE = (
    "setpriv", "--reuid", "wattrail", "--regid", "wattrail", "--init-groups", "env", "-C", "/var/lib/wattrail",
    "HOME=/var/lib/wattrail", "XDG_DATA_HOME=/var/lib", "XDG_CONFIG_HOME=/etc",
)  # fmt: skip
"""What the unit does to a command."""


class Debian:
    """A file system with Debian in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["tar", "-xf", ROOT, "-C", folder], check=True)
        (folder / "tmp" / "wattrail.deb").write_bytes(PACKAGES[-1].read_bytes())

    def start(self, *words: str) -> subprocess.Popen[str]:
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}
        return subprocess.Popen(
            ["/usr/sbin/chroot", self.folder, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    def run(self, *words: str) -> str:
        with self.start(*words) as process:
            out, err = process.communicate(timeout=300)
        assert process.returncode == 0, (words, out, err)
        return out + err

    def serve_and_stop(self) -> None:
        """The gateway from its first page to its stop."""
        with self.start(*AS_SERVICE, "wattrail", "run", "--port", "0") as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("http://127.0.0.1:")
            process.terminate()
            _, log = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "SIMULATED" in log

    def files(self, folder: str) -> set[str]:
        found = self.folder / folder
        return {path.name for path in found.iterdir()} if found.is_dir() else set()


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Debian:
    return Debian(tmp_path_factory.mktemp("debian"))


def test_installed_updated_removed_and_purged_it_keeps_every_database(debian: Debian) -> None:
    debian.run("dpkg", "-i", "/tmp/wattrail.deb")
    assert debian.files("etc/wattrail") == {"wattrail.toml", "logins.env"}
    assert (debian.folder / "etc/wattrail/logins.env").stat().st_mode & 0o777 == 0o600
    assert "nothing is wrong" in debian.run(*AS_SERVICE, "wattrail", "config", "check")
    debian.serve_and_stop()
    assert "simulated.sqlite" in debian.files("var/lib/wattrail")
    assert "0 errors" in debian.run(*AS_SERVICE, "wattrail", "doctor")

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
