"""Makes stdout safe: escapes in what a verb prints do nothing to a terminal, and passwords do not show.

Text that a peer, a file or a person chose is made safe where it is put into a message. This catches any that was
forgotten. Only ``results()`` writes past it, because rich styles and moves the cursor on purpose.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from wattrail.sanitize import hide_credentials, printable_lines

__all__ = ["raw_stdout", "safe_stdout"]


class _SafeStream(io.TextIOBase):
    """A text stream that writes into another."""

    def __init__(self, inner: TextIO) -> None:
        self.inner = inner

    def write(self, text: str) -> int:
        self.inner.write(hide_credentials(printable_lines(text)))
        return len(text)

    def flush(self) -> None:
        self.inner.flush()

    def isatty(self) -> bool:
        return self.inner.isatty()

    def fileno(self) -> int:
        return self.inner.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.inner.encoding

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 buffer, encoding and all else the stream has
        return getattr(self.inner, name)

    def close(self) -> None:
        """The stream is not ours to close."""


@contextmanager
def safe_stdout() -> Iterator[None]:
    """Make everything printed in this block safe."""
    inner = sys.stdout
    sys.stdout = cast("TextIO", _SafeStream(inner))
    try:
        yield
    finally:
        sys.stdout = inner


def raw_stdout() -> TextIO:
    """The stream itself, past the protection."""
    return sys.stdout.inner if isinstance(sys.stdout, _SafeStream) else sys.stdout
