"""What of an image is to lie in flash: chosen, guarded, and made whole sectors. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Self

from wattrail.bootrom.geometry import SECTOR
from wattrail.errors import ImageError
from wattrail.flasher.guards import Piece, Risk, keep_rf, no_part, pieces_of, rf_refused
from wattrail.flasher.plan import Wanted
from wattrail.flasher.target import Target
from wattrail.image import Image

__all__ = ["Layer", "layer_of"]


@dataclass(frozen=True, slots=True)
class Layer:
    """Pieces for flash, ascending, a byte at least; and in words what was kept back."""

    pieces: tuple[Piece, ...]
    kept: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError for nothing at all: whoever writes or compares that would call it a success."""
        if not any(piece.data for piece in self.pieces):
            raise ValueError("a layer without a byte")

    @classmethod
    def blank(cls, start: int, length: int, target: Target, allow: frozenset[Risk]) -> Self:
        """Erased bytes; the RF block is kept back unless allowed. Raises WriteRefused if that leaves nothing."""
        pieces, kept = keep_rf(Piece(start, b"\xff" * length), target, allow)
        return cls(tuple(pieces), tuple(kept))

    def whole_sectors(self, read_sector: Callable[[int], bytes]) -> Wanted:
        """The sectors of all pieces. Where a piece covers a part of one, the rest is what is there now."""
        runs: list[tuple[int, bytearray]] = []
        for piece in self.pieces:
            start, data = _filled(piece, read_sector)
            if runs and runs[-1][0] + len(runs[-1][1]) == start:
                runs[-1][1].extend(data)
            else:
                runs.append((start, bytearray(data)))
        return Wanted(tuple((start, bytes(data)) for start, data in runs))


def layer_of(
    image: Image, target: Target, *, start: int | None, parts: Collection[str], allow: frozenset[Risk]
) -> Layer:
    """What of an image goes into this flash; never nothing. Raises WriteRefused, ImageError for parts it has not."""
    pieces, kept = pieces_of(image, target, start, allow)
    if kept and "rf" in parts:
        raise rf_refused(target)
    if parts:
        pieces = [cut for name in parts for cut in _part(pieces, target, name)]
        pieces.sort(key=lambda piece: piece.start)
    return Layer(tuple(pieces), tuple(kept))


def _part(pieces: list[Piece], target: Target, name: str) -> list[Piece]:
    known = [partition.name for partition in target.layout.partitions]
    if name not in known:
        raise ImageError(f"{name!r} is no partition", hint=f"known: {', '.join(known)}")
    partition = target.layout[name]
    found = []
    for piece in pieces:
        first = max(piece.start, partition.start)
        data = piece.data[first - piece.start : max(0, partition.end - piece.start)]
        if data:
            found.append(Piece(first, data))
    if not found:
        raise no_part(name)
    return found


def _filled(piece: Piece, read_sector: Callable[[int], bytes]) -> tuple[int, bytes]:
    first = piece.start // SECTOR * SECTOR
    data, end = piece.data, piece.start + len(piece.data)
    if piece.start > first:
        data = read_sector(first)[: piece.start - first] + data
    if end % SECTOR:
        data += read_sector(end // SECTOR * SECTOR)[end % SECTOR :]
    return first, data
