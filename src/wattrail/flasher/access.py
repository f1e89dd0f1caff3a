"""The flash behind the chip: sectors read, erased and programmed, whoever answers. A fence holds every write in range.

The bootloader of a T protects the flash after each CRC, and takes the protection off at the first erase that follows a
LinkCheck. So before programming there, a LinkCheck and an erase come first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from wattrail.bootrom.commands import ERASE, READ_4K, WRITE_4K, Command
from wattrail.bootrom.geometry import ERASE_SECTOR, SECTOR, Erase
from wattrail.bootrom.ranges import is_guarded, wrapped
from wattrail.flasher import identify
from wattrail.flasher.conversation import Conversation
from wattrail.flasher.history import Stage
from wattrail.flasher.survey import Span
from wattrail.flasher.target import Target

__all__ = ["FlashAccess"]

logger = logging.getLogger(__name__)


class FlashAccess:
    """One chip's flash. Offsets and lengths in bytes; sectors are 4096 of them."""

    def __init__(self, conversation: Conversation, target: Target) -> None:
        self._conversation = conversation
        self._target = target
        self._fence: tuple[Span, ...] = ()
        self._armed_at = -1
        self._reached: Callable[[int], None] = lambda _: None
        self.erased_bytes = 0
        self.erases = 0
        self.programmed = 0

    def watch(self, reached: Callable[[int], None]) -> None:
        """Tell this how far it has come: the address behind every sector that was read or programmed."""
        self._reached = reached

    def reached(self, address: int) -> None:
        """Everything below is done, also what was neither read nor programmed."""
        self._reached(address)

    def fence_in(self, spans: Iterable[Span]) -> None:
        """From here on nothing is erased or programmed outside these."""
        self._fence = tuple(spans)

    def crc(self, start: int, length: int) -> int:
        """The chip's own CRC of a range of whole sectors."""
        self._armed_at = -1
        return identify.crc(self._conversation, self._target.responder, start, length)

    def sector(self, address: int) -> bytes:
        """4096 bytes as they arrived; only a CRC tells whether they are right."""
        data = self._conversation.ask(Stage.READ, READ_4K, address=self._reach(READ_4K, address)).data
        self._reached(address + SECTOR)
        return data

    def erase(self, size: Erase, address: int) -> None:
        """Erase one unit. That the chip says so is no proof. Raises ValueError outside the fence."""
        self._check(address, size.span)
        self._arm()
        logger.debug("erase %d bytes at %#x", size.span, address)
        self._conversation.ask(Stage.ERASE, ERASE, erase=size.code, size=size.code, address=self._reach(ERASE, address))
        self.erases += 1
        self.erased_bytes += size.span

    def program(self, address: int, data: bytes) -> None:
        """Program one erased sector. Raises ValueError outside the fence."""
        self._check(address, SECTOR)
        if self._target.traits.crc_protects and not self._armed:
            self.erase(ERASE_SECTOR, address)
        logger.debug("program %d bytes at %#x", len(data), address)
        self._conversation.ask(Stage.WRITE, WRITE_4K, data, address=self._reach(WRITE_4K, address))
        self.programmed += 1
        self._reached(address + SECTOR)

    def mismatch(self, address: int) -> None:
        """A sector arrived that has not its CRC. Raises LinkFailed if the line is lost over it."""
        self._conversation.mismatch(Stage.READ, f"the sector at {address:#x} arrived damaged")

    def did_not_take(self, sectors: Sequence[int]) -> None:
        """Sectors that were programmed do not hold their content."""
        for at in sectors:
            self._conversation.mismatch(Stage.WRITE, f"the sector at {at:#x} does not hold what was written")

    @property
    def doubts(self) -> int:
        """How much has gone wrong on this line so far that may have changed flash."""
        return self._conversation.trace.anomalies

    def sure_crc(self, start: int, length: int) -> int:
        """The chip's CRC, said twice the same: for one that is kept and compared much later."""
        self._armed_at = -1
        return identify.agreed_crc(self._conversation, self._target.responder, start, length)

    # ---- the bootloader's ways

    @property
    def _armed(self) -> bool:
        """Whether an erase has taken the protection off since the last CRC, on this very link."""
        return self._armed_at == self._conversation.trace.links

    def _arm(self) -> None:
        if self._target.traits.crc_protects and not self._armed:
            self._conversation.knock()
            self._armed_at = self._conversation.trace.links

    def _reach(self, command: Command, address: int) -> int:
        """The address to send: one flash size higher where the plain one is guarded."""
        if is_guarded(command, address, self._target.responder):
            return wrapped(address, self._target.size)
        return address

    def _check(self, address: int, span: int) -> None:
        if not any(start <= address and address + span <= start + length for start, length in self._fence):
            raise ValueError(f"{span} bytes at {address:#x} lie outside what may be written")
