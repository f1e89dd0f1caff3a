"""The ``[[virtual]]`` tables of ``wattrail.toml``: meters that are made of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from wattrail.gateway.plan import VirtualPlan
from wattrail.ledger import Definition, VirtualKind
from wattrail.toml_schema import field_error
from wattrail.toml_schema.section import METER, Section
from wattrail.urls import METER_NAME

__all__ = ["VirtualSection", "require_members"]


def _kind(text: object) -> VirtualKind:
    try:
        return VirtualKind(str(text))
    except ValueError:
        raise ValueError(f"unknown kind {text!r}; known: {', '.join(VirtualKind)}") from None


class VirtualSection(Section):
    """One ``[[virtual]]``: ``plus`` and ``minus`` of a sum, ``plus`` of a balance, or ``solar`` and ``grid``."""

    name: str
    """Name of the virtual meter."""
    kind: Annotated[VirtualKind, BeforeValidator(_kind)]
    """How it is made of others."""
    plus: list[Annotated[str, METER]] = Field(default_factory=list)
    """Meters that are added up."""
    minus: list[Annotated[str, METER]] = Field(default_factory=list)
    """Meters that are subtracted."""
    solar: Annotated[str, METER] | None = None
    """Of self-consumption: the meter behind the roof."""
    grid: Annotated[str, METER] | None = None
    """Of self-consumption: the meter of the grid."""

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        if not METER_NAME.fullmatch(self.name):
            raise ValueError(
                f"{self.name!r} cannot be the name of a meter: "
                "use letters, digits, dot, dash and underscore, at most 64"
            )
        is_self_consumption = self.kind is VirtualKind.SELF_CONSUMPTION
        if is_self_consumption and (not self.solar or not self.grid or self.plus or self.minus):
            raise ValueError('self_consumption takes solar = "..." and grid = "...", and neither plus nor minus')
        if not is_self_consumption and (self.solar or self.grid):
            raise ValueError(f"a {self.kind} takes plus, and neither solar nor grid")
        self.planned()
        return self

    def planned(self) -> VirtualPlan:
        """The virtual meter. Raises ValueError for a definition that means nothing."""
        plus, minus = tuple(self.plus), tuple(self.minus)
        if self.solar and self.grid:
            plus, minus = (self.solar,), (self.grid,)
        return VirtualPlan(name=self.name, definition=Definition(kind=self.kind, plus=plus, minus=minus))


def require_members(meters: Sequence[str], virtual: Sequence[VirtualSection]) -> None:
    """Raises an error of the field where a name is taken, or a member is not a meter."""
    names = list(meters)
    for index, section in enumerate(virtual):
        if section.name in names:
            raise field_error(
                ("virtual", index, "name"),
                f"a second meter is named {section.name!r}",
                hint="give every meter a name of its own: what it measured is kept under that name",
            )
        names.append(section.name)
    made = {section.name for section in virtual}
    for index, section in enumerate(virtual):
        for member in section.planned().definition.members:
            # A sum can name all meters itself, and a balance of balances means nothing, ADR 35.
            if member in made:
                raise field_error(
                    ("virtual", index, "kind"),
                    f"its member {member!r} is virtual itself",
                    hint=f"name the meters that {member!r} is made of",
                )
            if member not in meters:
                raise field_error(
                    ("virtual", index, "kind"),
                    f"its member {member!r} is not a meter here; there are: {', '.join(meters) or 'none'}",
                    hint="members are names of [[meter]]",
                )
