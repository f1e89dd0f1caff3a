"""The command that installs a missing library can be typed as it stands."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from wattrail.errors import MissingExtra, needs_library
from wattrail.extras import install_command

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


@pytest.mark.parametrize("extra", EXTRAS)
def test_it_names_the_libraries_and_not_wattrail_which_is_in_no_index(extra: str) -> None:
    python, *pip, install = shlex.split(install_command("x", extra))[:4]
    assert (python, pip, install) == (sys.executable, ["-m", "pip"], "install")
    wanted = shlex.split(install_command("x", extra))[4:]
    assert wanted
    assert not any(name.startswith("wattrail") for name in wanted)
    listed = {re.split(r"[><=;\s]", line)[0] for line in libraries(extra)}
    assert {re.split(r"[><=]", name)[0] for name in wanted} <= listed


def libraries(extra: str) -> list[str]:
    """The libraries behind an extra as pyproject.toml lists them."""
    found = []
    for line in EXTRAS[extra]:
        inner = re.match(r"wattrail\[(.+)\]", line)
        found += [name for other in inner[1].split(",") for name in libraries(other)] if inner else [line]
    return found


def test_without_metadata_the_library_itself_is_named() -> None:
    assert shlex.split(install_command("pyftdi", "no-such-extra"))[4:] == ["pyftdi"]


def test_without_pip_the_command_is_uvs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert install_command("spidev", "spi").startswith(f"uv pip install --python {sys.executable} ")


def test_the_error_carries_it() -> None:
    error = MissingExtra("spi:///dev/spidev0.0", library="spidev", extra="spi")
    assert error.hint == install_command("spidev", "spi")


def test_a_library_that_is_not_there_is_named_with_what_needs_it() -> None:
    said = "mDNS needs the library 'zeroconf', which is not installed"
    with pytest.raises(MissingExtra, match=said) as raised, needs_library("mDNS", "zeroconf", extra="discover"):
        import_module("wattrail_has_no_such_module")
    assert raised.value.extra == "discover"


def test_a_broken_import_of_ours_is_not_taken_for_a_missing_extra() -> None:
    outer = pytest.raises(ModuleNotFoundError, match="wattrail_has_no_such_module")
    with outer, needs_library("a twin", "numpy", extra="twin", module="numpy"):
        import_module("wattrail_has_no_such_module")
