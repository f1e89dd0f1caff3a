"""``wattrail image info``."""

from __future__ import annotations

from wattrail.cli.image import view
from wattrail.cli.image.files import Source, load
from wattrail.cli.target import Json


def info(file: Source, *, json: Json = False) -> None:
    """Say what an image is, and what is wrong with it.

    Decided by what is in the file, never by its name: kind, chip, code key, partitions, containers, damage, each with
    its reasons.
    """
    image = load(file)
    print(view.as_json(file, image) if json else "\n".join(view.lines(file, image)))
