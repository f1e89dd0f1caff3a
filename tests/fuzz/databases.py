"""A database file that somebody or something damaged: no traceback, and nothing altered goes by in silence."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from tests.store.damaged import keeps_its_promise, sound

__all__ = ["database", "files"]


def files() -> Sequence[bytes]:
    """One sound file: what is done to it is the runner's."""
    return (sound(),)


def database(data: bytes) -> None:
    """Verify it, and open it as a gateway does."""
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        path = Path(folder) / "w.sqlite"
        path.write_bytes(data)
        keeps_its_promise(path)
