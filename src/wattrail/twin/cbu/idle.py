"""Finding out that firmware has nothing to do, so that time can go on to the next alarm.

FreeRTOS runs its idle task then, an endless loop that waits for no register. The task is found without symbols: its
name, ``IDLE`` or ``idle``, stands in its control block, 52 bytes behind the start; before it are the lowest address of
its stack and its priority, 0. While the stack pointer lies in that stack, the idle task runs. One slice of its loop is
traced then, and a code hook on an instruction that each round passes ends slices early: it costs nothing elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wattrail.twin.cbu.cpu import EmulatedCpu
    from wattrail.twin.cbu.peripheral import PeripheralState

__all__ = ["IdleFinder", "once_a_round"]

_RAM: Final = (0x3F0000, 0x430000)
_NAMES: Final = (b"idle\0", b"IDLE\0")
_NAME_IN_BLOCK: Final = 52
_SEARCH_EVERY: Final = 500
"""Slices between two searches for the task, and between two traces if the first did not find a loop."""
_MAX_STACK: Final = 0x4000
_SETTLED: Final = 2
"""Slices in the idle task, without an interrupt, after which the next is traced: it begins and ends in the loop."""
_ROUNDS: Final = 2
"""Arrivals at the hook, after an interrupt, that make it idle. The first may be the very place of the interrupt, and
the loop has work of its own: it frees the memory of tasks that ended. A firmware stopped in its start without that."""
_PASSES: Final = 2
"""How often a loop passes an instruction in the slice that is traced, at least."""
_PATIENCE: Final = 16
"""Slices of the idle task in which the hook is not passed, after which another place is looked for: the loop that was
traced can be one that it goes through only now and then."""


class IdleFinder:
    """``is_idle`` says that the idle task came round to the watched instruction; nothing changes until an interrupt."""

    def __init__(self, cpu: EmulatedCpu) -> None:
        self._cpu = cpu
        self.is_idle = False
        self._stack: range | None = None
        self._hook: int | None = None
        self._place = 0
        self._settled = 0
        self._arrivals = 0
        self._slices = 0
        self._not_before = 0
        self._missed = 0

    def forget(self) -> None:
        """The chip was reset."""
        self.leave()
        self._unhook()
        self._stack = None

    def leave(self) -> None:
        """An interrupt was taken."""
        self.is_idle = False
        self._arrivals = self._settled = 0

    def run(self, count: int) -> None:
        """A slice of the CPU, traced if the idle task has just been met."""
        if self._settled < _SETTLED:
            self._cpu.run(count)
        else:
            self._settled = 0
            self._watch(*self._cpu.run_traced(count))

    def reached(self) -> bool:
        """After a slice: whether it ended at the watched instruction."""
        if self.is_idle:
            self._missed = 0
            return True
        if self._arrivals and self._cpu.pc == self._place:  # where the next slice arrives once more
            self._arrivals -= 1
        self._slices += 1
        if self._stack is None:
            if self._slices % _SEARCH_EVERY == 0:
                self._stack = self._find_stack()
        elif self._cpu.sp in self._stack:
            self._sample()
        return False

    def save(self) -> PeripheralState:
        """For a snapshot."""
        return {
            "is_idle": self.is_idle,
            "stack": [self._stack.start, self._stack.stop] if self._stack else None,
            "place": None if self._hook is None else self._place,
            "counts": [self._slices, self._missed, self._arrivals, self._settled, self._not_before],
        }

    def load(self, state: PeripheralState) -> None:
        """The opposite."""
        self.forget()
        stack, place, counts = state["stack"], state["place"], state["counts"]
        if stack is not None:
            self._stack = range(*stack)
        if place is not None:
            self._place, self._hook = place, self._cpu.watch(place, self._at_hook, jumps=True)
        self._slices, self._missed, self._arrivals, self._settled, self._not_before = counts
        self.is_idle = bool(state["is_idle"])

    def _sample(self) -> None:
        """A slice ended in the idle task, and not at the hook."""
        if self._hook is None:
            self._settled += self._slices >= self._not_before and not self._cpu.irq_masked
        else:
            self._missed += 1
            if self._missed > _PATIENCE:
                self._unhook()

    def _watch(self, visited: list[tuple[int, int]], walked_into: set[int]) -> None:
        in_task = self._stack is not None and all(sp in self._stack for _, sp in visited)
        place = once_a_round(visited, walked_into) if in_task else None
        if place is None:
            self._not_before = self._slices + _SEARCH_EVERY
        else:
            self._place, self._missed = place, 0
            self._hook = self._cpu.watch(place, self._at_hook, jumps=True)

    def _at_hook(self) -> None:
        if self.is_idle:  # a pending interrupt is masked: let the loop go round
            self.is_idle = False
            self._arrivals = 0
        elif self._stack is not None and self._cpu.runs_on(self._stack):
            self._arrivals += 1
            if self._arrivals >= _ROUNDS:
                self.is_idle = True
                self._cpu.stop()

    def _unhook(self) -> None:
        if self._hook is not None:
            self._cpu.unwatch(self._hook)
        self._hook = None
        self._missed = 0

    def _find_stack(self) -> range | None:
        start, end = _RAM
        memory = self._cpu.read_memory(start, end - start)
        for name in _NAMES:
            at = memory.find(name)
            while at >= 0:
                if (stack := _stack_of(memory, at)) is not None:
                    return stack
                at = memory.find(name, at + 1)
        return None


def once_a_round(visited: Sequence[tuple[int, int]], walked_into: Collection[int] = ()) -> int | None:
    """The instruction to watch: one that each round of a loop passes once.

    ``visited`` are addresses and stack pointers of some rounds. The outermost function has the highest stack pointer;
    its instructions are passed once a round, but for the few in loops or branches of its own. None if that is unclear.
    Those that are walked into are not watched: see ``EmulatedCpu.watch``.
    """
    bottom = max((sp for _, sp in visited), default=0)
    # The one met most often, which was taken at first, was at times in a function that the loop seldom calls.
    passes = Counter(address for address, sp in visited if sp == bottom)
    alike = Counter(count for count in passes.values() if count >= _PASSES)
    if not alike:
        return None
    rounds = max(alike, key=lambda count: (alike[count], count))
    once = (address for address, count in passes.items() if count == rounds)
    return min((address for address in once if address not in walked_into), default=None)


def _stack_of(memory: bytes, name: int) -> range | None:
    """The stack of the control block in which this name stands, if it is one."""
    if name % 4 or name < _NAME_IN_BLOCK:
        return None
    top, priority, stack = (
        int.from_bytes(memory[at : at + 4], "little") for at in (name - _NAME_IN_BLOCK, name - 8, name - 4)
    )
    start, end = _RAM
    fits = priority == 0 and start <= stack <= top < min(end, stack + _MAX_STACK)
    return range(stack, top + 0x80) if fits else None
