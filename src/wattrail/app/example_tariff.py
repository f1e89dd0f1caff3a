"""The tariff of the demonstration, so that a newcomer sees bills. It is an example, and the page says so."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Final

from wattrail.ledger import Price, Tariff

__all__ = ["EXAMPLE_TARIFF"]

EXAMPLE_TARIFF: Final = Tariff(
    name="Example",
    currency="EUR",
    rates=("standard",),
    prices=(
        Price(
            valid_from=date(2000, 1, 1),
            rates={"standard": Decimal("0.32")},
            export=Decimal("0.08"),
            standing=Decimal("12.90"),
        ),
    ),
)
"""Round prices, as a household in Germany pays and gets them."""
