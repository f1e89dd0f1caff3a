"""The versions of a schema, as numbered SQL files have them, and what is said of a database that has another one."""

from __future__ import annotations

from importlib.resources import files

from wattrail.errors import StoreError

__all__ = ["not_current", "numbered_sql", "too_new"]


def numbered_sql(folder: str) -> dict[int, str]:
    """The SQL that makes each version, by its number, which begins the name of its file in a folder beside this one."""
    found = sorted((file.name, file) for file in (files(__package__) / folder).iterdir() if file.name.endswith(".sql"))
    return {int(name[:4]): file.read_text(encoding="utf-8") for name, file in found}


def too_new(place: object, version: int, known: int, *, hint: str = "update wattrail") -> StoreError:
    """A database that a later program has made."""
    return StoreError(f"{place} has schema version {version}; this program knows versions up to {known}", hint=hint)


def not_current(place: object, version: int, known: int, *, newer: str = "update wattrail") -> StoreError:
    """A database that is only to be read, and is of another version; ``newer`` helps where it is a later one."""
    hint = newer if version > known else "start it once with this version: wattrail run"
    return StoreError(f"{place} has schema version {version}; this program reads version {known}", hint=hint)
