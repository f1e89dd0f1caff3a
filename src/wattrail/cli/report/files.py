"""Keeping a report in a file."""

from __future__ import annotations

from pathlib import Path

from wattrail.cli import output
from wattrail.cli.exits import UsageError

__all__ = ["keep", "refuse_existing"]


def refuse_existing(*paths: Path | None) -> None:
    """Nothing is overwritten, and its folder is there; said before a test of an hour, not after. Raises UsageError."""
    for path in paths:
        if path is not None and path.exists():
            raise UsageError(f"{path} exists already", hint="name another file, or remove that one")
        if path is not None and not path.parent.is_dir():
            raise UsageError(f"{path} cannot be written: there is no folder {path.parent}")


def keep(path: Path, text: str) -> None:
    """Write a file and say so. Raises UsageError where it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    output.note(f"kept in {path}")
