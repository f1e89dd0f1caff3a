"""The register descriptor: one aligned line per named cell of a chip.

A register says how wide it is, whether its count is signed, who may write it, what it holds after reset and how
its bits divide into fields. It says nothing of byte order, which belongs to the link, nor of units, which belong
to scaling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum

__all__ = ["Access", "Field", "Register"]


class Access(Enum):
    """Who may write a register."""

    READ = "read-only"
    READ_WRITE = "read/write"
    KEY = "write key"


@dataclass(frozen=True, slots=True)
class Field:
    """A run of bits inside a register, with the words for its values where there are any."""

    name: str
    low: int
    width: int = 1
    values: type[IntEnum] | None = None

    @property
    def mask(self) -> int:
        """The field's bits in place."""
        return ((1 << self.width) - 1) << self.low

    def get(self, count: int) -> int:
        """The field's value within a register count."""
        return (count & self.mask) >> self.low

    def put(self, count: int, value: int) -> int:
        """The register count with this field replaced. Raises ValueError if the value is too wide."""
        if not 0 <= value < 1 << self.width:
            raise ValueError(f"{self.name}: {value} does not fit {self.width} bit(s)")
        return (count & ~self.mask) | value << self.low

    def word(self, count: int) -> str:
        """The field's value as text: the enum's name, or the number."""
        value = self.get(count)
        if self.values is not None and value in self.values._value2member_map_:
            return self.values(value).name.lower()
        return str(value)


@dataclass(frozen=True, slots=True, eq=False)
class Register:
    """One register. ``count`` everywhere means its value as an integer, sign applied.

    A register is one cell of one table: it equals itself only, which also makes it a quick key.
    """

    address: int
    name: str
    bits: int
    reset: int
    meaning: str
    signed: bool = False
    access: Access = Access.READ
    fields: tuple[Field, ...] = ()

    def __post_init__(self) -> None:
        taken = 0
        for field in self.fields:
            if field.mask & taken or field.mask >> self.bits:
                raise ValueError(f"{self.name}.{field.name}: bits overlap or stand outside {self.bits} bits")
            taken |= field.mask

    @property
    def lowest(self) -> int:
        """The smallest count."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def highest(self) -> int:
        """The largest count."""
        return (1 << (self.bits - self.signed)) - 1

    def fits(self, word: int) -> bool:
        """Whether a word from the bus has no bit above the register's width."""
        return 0 <= word < 1 << self.bits

    def decode(self, word: int) -> int:
        """The count in a word from the bus. Raises ValueError if a bit above the width is set."""
        if not self.fits(word):
            raise ValueError(f"{self.name}: {word:#08x} has bits above the {self.bits} that exist")
        # Only what is declared signed: a driver that sign-extends
        # every register loses the upper half of the energy counter.
        return word - (1 << self.bits) if self.signed and word >> (self.bits - 1) else word

    def encode(self, count: int) -> int:
        """The word for the bus. Raises ValueError if the count does not fit."""
        if not self.lowest <= count <= self.highest:
            raise ValueError(f"{self.name}: {count} does not fit {self.lowest}..{self.highest}")
        return count & ((1 << self.bits) - 1)

    def field(self, name: str) -> Field:
        """A field by its name. Raises KeyError listing the known ones."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.name} has no field {name!r}; known: {', '.join(f.name for f in self.fields)}")

    def words(self, count: int) -> Mapping[str, str]:
        """Every field as text, in table order."""
        return {field.name: field.word(count) for field in self.fields}
