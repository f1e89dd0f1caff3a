"""``wattrail flash verify``."""

from __future__ import annotations

import json as json_text

from wattrail.cli.exits import Exit
from wattrail.cli.flash import view
from wattrail.cli.flash.flash_range import ImagePlace
from wattrail.cli.flash.session import BoardOptions, PortText, board
from wattrail.cli.flash.write import load_image
from wattrail.cli.image.files import Source
from wattrail.cli.target import Json
from wattrail.flasher import Risk


def verify(
    port: PortText,
    image: Source,
    *,
    place: ImagePlace | None = None,
    json: Json = False,
    options: BoardOptions | None = None,
) -> int:
    """Compare flash with an image, and change nothing.

    The chip computes CRCs, and single sectors are compared only where they differ. Exit code 6 if anything differs.
    """
    place = place or ImagePlace()
    place.check()
    wanted = load_image(image, place, frozenset(Risk))  # a comparison takes no risk
    with board(port, options, json=json) as flasher:
        found = flasher.verify(wanted, start=place.start, parts=place.part)
        as_object = view.comparison_object(found, flasher)
        as_lines = list(view.comparison_lines(found, flasher))
    print(json_text.dumps({"image": str(image), **as_object}) if json else "\n".join(as_lines))
    return Exit.DONE if found.same else Exit.VERIFY
