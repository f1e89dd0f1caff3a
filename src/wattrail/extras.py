"""The command that installs the libraries of an extra, for the Python that runs now.

wattrail is not in a package index, so ``pip install 'wattrail[spi]'`` finds nothing. Its libraries are, and the
metadata of the installed package lists them: naming them works in a checkout, for a wheel and
in a tool's own environment.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator

__all__ = ["install_command"]

_PACKAGE = "wattrail"
_OF_EXTRA = re.compile(r"extra\s*==\s*['\"](?P<extra>[A-Za-z0-9_-]+)['\"]")
_OF_SYSTEM = re.compile(r"sys_platform\s*==\s*['\"](?P<system>[a-z0-9]+)['\"]")
_OURSELVES = re.compile(rf"{_PACKAGE}\[(?P<extras>[^\]]+)\]")


def install_command(library: str, extra: str) -> str:
    """The command. ``library`` is installed where the package does not list ``extra``."""
    from importlib.util import find_spec  # slow to import, and needed once

    wanted = list(dict.fromkeys(_libraries(extra))) or [library]
    # A virtual environment of uv or pipx has no pip of its own.
    python = shlex.quote(sys.executable or "python3")
    tool = f"{python} -m pip install" if find_spec("pip") else f"uv pip install --python {python}"
    return " ".join([tool, *map(shlex.quote, wanted)])


def _libraries(extra: str) -> Iterator[str]:
    """The requirements of an extra on this system, without their conditions; an extra may name others."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        requirements = requires(_PACKAGE) or []
    except PackageNotFoundError:
        return
    for requirement in requirements:
        name, _, condition = requirement.partition(";")
        of_extra, of_system = _OF_EXTRA.search(condition), _OF_SYSTEM.search(condition)
        if of_extra is None or of_extra["extra"] != extra or (of_system and of_system["system"] != sys.platform):
            continue
        if ourselves := _OURSELVES.match(name):
            for other in ourselves["extras"].split(","):
                yield from _libraries(other.strip())
        else:
            yield name.strip().replace(" ", "")
