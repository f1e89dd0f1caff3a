"""What a user or a token may do: each scope includes the ones before it."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Scope"]


class Scope(StrEnum):
    """``read`` sees meters, ``adjust`` also changes their state, ``admin`` also sees who did what."""

    READ = "read"
    ADJUST = "adjust"
    ADMIN = "admin"

    def includes(self, other: Scope) -> bool:
        """Whether this scope is enough where the other is needed."""
        order = list(Scope)
        return order.index(self) >= order.index(other)

    @property
    def included(self) -> tuple[Scope, ...]:
        """This scope and every smaller one, the smallest first."""
        return tuple(scope for scope in Scope if self.includes(scope))
