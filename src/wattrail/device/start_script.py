"""The script that OpenBeken runs at each start, ``autoexec.bat`` in its file system: looked at, written, read back.

What somebody wrote there before is never lost: it goes to a second file first, under a name that nothing runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wattrail.device.client import OpenBekenClient
from wattrail.errors import ConfigError
from wattrail.image.openbeken_settings import SettingChange

__all__ = ["SCRIPT_CHANGE", "StartScript", "planned_script"]

_NAME: Final = "autoexec.bat"
_MAX_KEPT: Final = 9

SCRIPT_CHANGE: Final = f"file {_NAME}"
"""Name of the change that the script is."""


@dataclass(frozen=True, slots=True)
class StartScript:
    """What is there, None for no file, and what is wanted. ``keep_as`` is where the former one goes."""

    before: bytes | None
    wanted: bytes
    keep_as: str | None

    words = f"write {_NAME}"
    """What is done, for people."""

    @property
    def change(self) -> SettingChange | None:
        """What differs; None where the wanted script is there already."""
        if self.before == self.wanted:
            return None
        kept = f", which is kept as {self.keep_as}" if self.keep_as else ""
        return SettingChange(SCRIPT_CHANGE, _size(self.before) + kept, _size(self.wanted))

    async def run(self, client: OpenBekenClient) -> None:
        """Keep the former one, then write. Raises what the client does."""
        # First the former one: a connection that breaks in between loses neither.
        if self.before is not None and self.keep_as is not None:
            await client.write_file(self.keep_as, self.before)
        await client.write_file(_NAME, self.wanted)

    async def remaining(self, client: OpenBekenClient) -> tuple[SettingChange, ...]:
        """What differs still. Raises what the client does."""
        change = StartScript(await client.read_file(_NAME), self.wanted, None).change
        return () if change is None else (change,)


async def planned_script(client: OpenBekenClient, wanted: bytes) -> StartScript:
    """The script beside that of the device. Raises ConfigError, and what the client does."""
    before = await client.read_file(_NAME)
    if not before or before == wanted:
        return StartScript(before, wanted, None)
    for number in range(1, _MAX_KEPT + 1):
        name = f"autoexec.before{number}.bat"
        kept = await client.read_file(name)
        # The same script may have been kept by an earlier run: once is enough.
        if kept is None or kept == before:
            return StartScript(before, wanted, name)
    raise ConfigError(
        f"the device keeps {_MAX_KEPT} former scripts already, autoexec.before1.bat to autoexec.before{_MAX_KEPT}.bat",
        hint="remove some on its page 'Web Application', or leave the script out with --no-script",
    )


def _size(script: bytes | None) -> str:
    if not script:
        return "none"
    lines = len(script.splitlines())
    return f"{lines} line{'' if lines == 1 else 's'}"
