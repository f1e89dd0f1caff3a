"""``wattrail flash verify``."""

from __future__ import annotations

import json as json_text

from wattrail.cli.exits import Exit
from wattrail.cli.flash import view
from wattrail.cli.flash.image_file import load_image
from wattrail.cli.flash.opening import BoardOptions, PortText
from wattrail.cli.flash.place import ImagePlace
from wattrail.cli.flash.session import board
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

    The chip works out CRCs, and only where they differ it is asked more closely. Exit code 6 if anything differs.
    """
    place = place or ImagePlace()
    place.check()
    wanted = load_image(image, place, frozenset(Risk))  # comparing is no risk
    with board(port, options, json=json) as flasher:
        found = flasher.verify(wanted, start=place.start, parts=place.part)
        as_object = view.comparison_object(found, flasher)
        as_lines = list(view.comparison_lines(found, flasher))
    print(json_text.dumps({"image": str(image), **as_object}) if json else "\n".join(as_lines))
    return Exit.DONE if found.same else Exit.VERIFY
