"""The boards that come with wattrail, and those of a person's own files. The format is in docs/boards.md."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path

from wattrail.board.front_panel import FrontPanel
from wattrail.board.model import BoardDescription
from wattrail.errors import ConfigError
from wattrail.files import read_text
from wattrail.toml_schema import needs_pydantic, read_model

__all__ = ["board_names", "known_boards", "load_board", "load_front_panel", "parse_board"]

_SUFFIX = ".toml"


# The files are part of the package: nobody changes them while it runs.
@cache
def board_names() -> tuple[str, ...]:
    """The names of the boards that come with wattrail, sorted."""
    folder = files("wattrail.board") / "data"
    return tuple(sorted(entry.name.removesuffix(_SUFFIX) for entry in folder.iterdir() if entry.name.endswith(_SUFFIX)))


@cache
def known_boards() -> tuple[BoardDescription, ...]:
    """Every board that comes with wattrail, by name. Raises MissingExtra without pydantic."""
    return tuple(load_board(name) for name in board_names())


def load_board(name: str) -> BoardDescription:
    """A board by its name, or of a file by its path (anything ending in .toml).

    Raises FileError for a file that cannot be read, ConfigError for an unknown name or a field that does not fit,
    MissingExtra without pydantic.
    """
    if name.endswith(_SUFFIX):
        path = Path(name)
        return parse_board(read_text(path), name=path.name.removesuffix(_SUFFIX), where=name)
    # A name is looked up before it becomes part of a path.
    if name not in board_names():
        close = get_close_matches(name, board_names(), n=3)
        raise ConfigError(
            f"no board {name!r} is known",
            hint=f"did you mean {' or '.join(close)}?" if close else "'wattrail board search WORD' finds one",
        )
    text = (files("wattrail.board") / "data" / f"{name}{_SUFFIX}").read_text(encoding="utf-8")
    return parse_board(text, name=name, where=name)


def parse_board(text: str, *, name: str, where: str) -> BoardDescription:
    """The board that a file's text describes. Raises ConfigError by ``where``, line and field, MissingExtra."""
    with needs_pydantic("a board file", extra="twin"):
        from wattrail.board.schema import BoardFile

        return read_model(BoardFile, text, f"board {where}").board(name)


def load_front_panel(path: Path | None = None) -> FrontPanel:
    """Gestures and patterns: wattrail's own, or those of a file. Raises FileError, ConfigError, MissingExtra."""
    text = read_text(path) if path else (files("wattrail.board") / "front_panel.toml").read_text(encoding="utf-8")
    with needs_pydantic("a front panel", extra="twin"):
        from wattrail.board.schema import FrontPanelFile

        return read_model(FrontPanelFile, text, str(path) if path else "front panel").panel()
