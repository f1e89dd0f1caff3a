"""The names in a query: one that a route does not declare is refused.

It would change nothing, and the answer would be to another question than was asked: ``?start=`` where ``from`` is
meant gives today's energy.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final
from urllib.parse import parse_qsl

from fastapi.routing import APIRoute

from wattrail.sanitize import printable
from wattrail.web.problems import ProblemDetails

__all__ = ["query_names", "refuse_unknown_names"]

_CHECKED: Final = "/api/"
"""Pages keep what they show in their own query, and a collector of metrics may add to its requests."""

_MAX_SHOWN: Final = 64
_MAX_NAMES: Final = 20


def query_names(route: APIRoute) -> list[str]:
    """What a route can be asked for, in the order in which it declares it."""
    waiting, names = [route.dependant], list[str]()  # codespell:ignore dependant
    while waiting:
        needs = waiting.pop()
        waiting += needs.dependencies
        names += [one.alias for one in needs.query_params]
    return names


def refuse_unknown_names(route: APIRoute, query: bytes) -> ProblemDetails | None:
    """The problem of a query with names that its route of the interface does not declare; None without any."""
    if not query or not route.path.startswith(_CHECKED):
        return None
    known = query_names(route)
    sent = [name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True)]
    unknown = [name for name in dict.fromkeys(sent) if name not in known][:_MAX_NAMES]
    if not unknown:
        return None
    takes = f"known: {', '.join(known)}" if known else "nothing is asked for by a query here"
    shown = [printable(name, limit=_MAX_SHOWN) for name in unknown]
    errors = [{"where": f"query.{name}", "message": f"not known here; {takes}"} for name in shown]
    close = [match for name in unknown for match in get_close_matches(name[:_MAX_SHOWN], known, n=1)]
    return ProblemDetails(
        "invalid",
        f"the query has {', '.join(map(repr, shown))}; {takes}",
        f"did you mean {close[0]}?" if close else "leave it out, or take one of the known names",
        more={"errors": errors},
    )
