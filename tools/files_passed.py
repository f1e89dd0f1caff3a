"""Count the files that a command passes through: `wattrail flash write`, from its arguments to the first erase.

    python tools/files_passed.py            the number for each room, and each file
    python tools/files_passed.py --count    the sum alone

A simulated BK7231N is served on a pseudo-terminal, and another firmware is written to it with a backup, as a person
would. A file counts if one of its functions ran; a table that an import builds does not count, nor does the twin, which
is the board. Recording ends with the erase request.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = ROOT / "src/wattrail"
BOARD: Final = PACKAGE / "twin"

ERASE_REQUEST: Final = b"\x01\xe0\xfc\xff\xf4\x06\x00\x0f"


class Recorder:
    """A profile function. ``files`` are those of the package in which a function has run."""

    def __init__(self) -> None:
        self.files: set[Path] = set()
        self._seen: set[str] = set()

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """Note the file of a function that is called; end with the first erase."""
        if event != "call" or not frame.f_code.co_flags & inspect.CO_OPTIMIZED:
            return
        if frame.f_code.co_name == "write" and _is_erase(frame):
            sys.setprofile(None)
            return
        name = frame.f_code.co_filename
        if name not in self._seen and not _is_importing(frame):
            self._seen.add(name)
            path = Path(name)
            if path.is_relative_to(PACKAGE) and not path.is_relative_to(BOARD):
                self.files.add(path.relative_to(PACKAGE))


def _is_erase(frame: FrameType) -> bool:
    return any(isinstance(value, bytes) and value.startswith(ERASE_REQUEST) for value in frame.f_locals.values())


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name == "<module>" and Path(frame.f_code.co_filename).is_relative_to(PACKAGE):
            return True
        frame = frame.f_back
    return False


@contextlib.contextmanager
def _home() -> Iterator[Path]:
    """An empty home and a folder with nothing of the person who runs this."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HOME"] = folder
        for kind in ("CONFIG", "DATA", "STATE", "CACHE"):
            os.environ[f"XDG_{kind}_HOME"] = f"{folder}/{kind.lower()}"
        yield Path(folder)


def record_write() -> set[Path]:
    """Write an image to a served twin; the files passed before the first erase. Raises RuntimeError if it fails."""
    from tests.image.boards import Board

    from wattrail.cli.main import main
    from wattrail.image import Chip
    from wattrail.twin.bootrom import BootTwin
    from wattrail.twin.bootrom.serve import serve_boot

    recorder = Recorder()
    with _home() as home, serve_boot(BootTwin("N", image=Board(Chip.N).dump), auto_reset=True) as served:
        image = home / "new.bin"
        image.write_bytes(Board(Chip.N, seed=2).qio)
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            sys.setprofile(recorder)
            code = main(["flash", "write", served.url, str(image), "--baud", "2000000"])
            sys.setprofile(None)
    if code:
        raise RuntimeError(f"the write failed with {code}:\n{said.getvalue()}")
    return recorder.files


def main(words: list[str]) -> int:
    """Print what was passed."""
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]
    files = record_write()
    rooms: dict[str, list[str]] = defaultdict(list)
    for path in sorted(files):
        rooms[path.parts[0] if len(path.parts) > 1 else "(top)"].append(path.as_posix())
    if words != ["--count"]:
        for room, names in sorted(rooms.items(), key=lambda item: -len(item[1])):
            print(f"{len(names):3}  {room:<12} {' '.join(name.removeprefix(f'{room}/') for name in names)}")
    print(f"{len(files):3}  files" if words != ["--count"] else len(files))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
