"""``wattrail image diff``."""

from __future__ import annotations

from wattrail.cli.exits import Exit
from wattrail.cli.image import view
from wattrail.cli.image.files import Source, load
from wattrail.cli.target import Json
from wattrail.image import diff as compare


def diff(first: Source, second: Source, *, json: Json = False) -> int:
    """Compare two images by partition and sector.

    Each is laid where it belongs in flash, so a QIO image can be compared with a dump. Exit code 6 if they differ.
    """
    found = compare(load(first), load(second))
    print(view.difference_as_json(found) if json else "\n".join(view.difference_lines(found)))
    return Exit.DONE if found.same else Exit.VERIFY
