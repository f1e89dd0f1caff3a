"""What every verb that changes flash has in common: the backup, the risks taken, the report, the restart."""

from __future__ import annotations

import json as json_text
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli import output
from wattrail.cli.exits import UsageError
from wattrail.cli.flash import view
from wattrail.cli.flash.place import Allowed, risks
from wattrail.flasher import Comparison, Flasher, Report, Risk

__all__ = ["WritingOptions", "finish", "foretell"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WritingOptions:
    """How flash is changed."""

    allow: Allowed = ()
    backup: Annotated[
        Path | None, Parameter(help="File for the backup that is taken first; else in the boards' folder.")
    ] = None
    dry_run: Annotated[bool, Parameter(help="Say what would be changed, and change nothing.")] = False
    no_reboot: Annotated[bool, Parameter(help="Leave the chip as it is afterwards, ready for the next command.")] = (
        False
    )

    def check(self) -> frozenset[Risk]:
        """The risks taken. Raises UsageError for words that cannot be meant, before a port is opened."""
        allow = risks(self.allow)
        if self.backup is not None and Risk.NO_BACKUP in allow:
            raise UsageError("--backup and --allow no-backup exclude each other; keep one of them")
        if self.backup is not None and self.backup.exists():
            raise UsageError(f"{self.backup} exists already", hint="name another file: a backup replaces nothing")
        return allow


def foretell(
    found: Comparison, flasher: Flasher, *, json: bool, besides: Mapping[str, object] = MappingProxyType({})
) -> None:
    """Say what would be changed. ``besides`` are more fields for JSON."""
    if json:
        print(json_text.dumps({"dry_run": True, **besides, **view.comparison_object(found, flasher)}))
        return
    print("\n".join(view.comparison_lines(found, flasher)))
    sectors = len(found.differing)
    output.note(f"dry run: {sectors} sectors would be changed, after a backup; nothing was")


def finish(
    report: Report,
    flasher: Flasher,
    writing: WritingOptions,
    *,
    json: bool,
    besides: Mapping[str, object] = MappingProxyType({}),
) -> None:
    """Say what was done, and start the board. ``besides`` are more fields for JSON."""
    print(
        json_text.dumps({**besides, **report.as_dict()}) if json else "\n".join(view.report_lines(report)), flush=True
    )
    if not writing.no_reboot:
        flasher.reboot()
        output.note("the board was told to start")
