"""Ports of this machine behind which an emulated module answers: what is read there is simulated.

A simulated meter says so in what it sends. Somebody else's firmware on an emulated module cannot: it does not know
that its board is not there. So whoever serves such a module leaves a note for as long as it does, in the user's
folder for what runs now. Other users, and other machines, do not see it; for them a URL has ``simulated=yes``.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["is_simulated_port", "runs_here", "runtime_folder", "simulated_port"]

_LOOPBACK: Final = {"127.0.0.1", "localhost", "::1"}


def runtime_folder() -> Path:
    """The user's own folder for what runs now; made where it is missing."""
    from platformdirs import user_runtime_path

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # no XDG_RUNTIME_DIR: its own folder below /tmp does as well
        folder = user_runtime_path("wattrail", appauthor=False)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def runs_here(process: str) -> bool:
    """Whether a process of this number runs; True where the system does not say."""
    return Path(f"/proc/{process}").exists() or not Path("/proc").exists()


@contextmanager
def simulated_port(port: int) -> Iterator[None]:
    """Say, while the block lasts, that an emulated module answers at a port of 127.0.0.1."""
    note = _note(port)
    note.write_text(str(os.getpid()))
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def is_simulated_port(host: str, port: int) -> bool:
    """Whether an emulated module of this user answers there now."""
    if host.lower() not in _LOOPBACK:
        return False
    try:
        return runs_here(_note(port).read_text())
    except OSError:
        return False


def _note(port: int) -> Path:
    return runtime_folder() / f"simulated-port-{port}"
