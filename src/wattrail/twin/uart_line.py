"""Two UARTs on one wire that may not agree on the rate: 8N1 bit for bit."""

from __future__ import annotations

__all__ = ["BYTE_BITS", "as_received"]

BYTE_BITS = 10
"""Start, eight data, stop."""


def as_received(data: bytes, sent_at: int, received_at: int, *, keep_broken: bool = False) -> bytes:
    """What a receiver at one rate makes of bytes sent back to back at another.

    It looks at the middle of each of its own bits after a falling edge; a byte without stop bit is dropped, or handed
    over like any other (``keep_broken``), as adapters and operating systems do.
    Within 4 % nothing is lost, as with real receivers.
    """
    if abs(sent_at - received_at) <= 0.04 * sent_at:
        return data
    levels = "".join("0" + f"{byte:08b}"[::-1] + "1" for byte in data)
    step = sent_at / received_at

    def level(bit: float) -> str:
        return levels[int(bit)] if bit < len(levels) else "1"

    found = bytearray()
    place = 0.0
    while (edge := levels.find("0", int(place))) >= 0:
        start = max(place, float(edge))
        bits = [level(start + (number + 0.5) * step) for number in range(BYTE_BITS)]
        if bits[0] == "0" and (bits[9] == "1" or keep_broken):
            found.append(int("".join(bits[8:0:-1]), 2))
        place = start + (BYTE_BITS - 0.5) * step if bits[0] == "0" else start + 1
        while bits[9] == "0" and level(place) == "0" and place < len(levels):
            place += 1  # after a framing error: wait for the line to rise
    return bytes(found)
