"""Slows down guessing of passwords: waits that double, for a user and for an address, in bounded memory.

A wait is never extended by attempts made during it, and none is longer than its limit, so that nobody is locked out for
good. An address from which a user has signed in does not wait for what others try under that name. This machine itself
needs no login.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final

__all__ = ["LoginThrottle"]

_FREE: Final = 5
"""Wrong passwords before the first wait: people mistype."""

_MAX_USER_WAIT_S: Final = 60.0
_MAX_ADDRESS_WAIT_S: Final = 900.0

_FORGET_S: Final = 3600.0
"""Failures are forgotten so long after the last one."""

_MAX_KEYS: Final = 4096
_MAX_TRUSTED: Final = 1024


@dataclass(slots=True)
class _Failures:
    count: int
    last: float


class LoginThrottle:
    """``now`` is monotonic time in seconds; ``address`` is the visitor's IP address."""

    def __init__(self) -> None:
        self._users: OrderedDict[str, _Failures] = OrderedDict()
        self._addresses: OrderedDict[str, _Failures] = OrderedDict()
        self._trusted: OrderedDict[tuple[str, str], None] = OrderedDict()

    def wait_s(self, user: str, address: str, now: float) -> float:
        """Seconds until this may be tried; 0 for at once."""
        network = _network(address)
        waits = [_wait(self._addresses.get(network), now, _MAX_ADDRESS_WAIT_S)]
        if (user, network) not in self._trusted:
            waits.append(_wait(self._users.get(user), now, _MAX_USER_WAIT_S))
        return max(waits)

    def fail(self, user: str, address: str, now: float) -> None:
        """A wrong password, or a user that does not exist."""
        _count(self._users, user, now)
        _count(self._addresses, _network(address), now)

    def succeed(self, user: str, address: str) -> None:
        """The right password: what this address tried is forgotten."""
        network = _network(address)
        self._addresses.pop(network, None)
        self._users.pop(user, None)
        self._trusted[user, network] = None
        self._trusted.move_to_end((user, network))
        while len(self._trusted) > _MAX_TRUSTED:
            self._trusted.popitem(last=False)


def _count(known: OrderedDict[str, _Failures], key: str, now: float) -> None:
    before = known.pop(key, None)
    count = before.count if before is not None and now - before.last < _FORGET_S else 0
    known[key] = _Failures(count + 1, now)
    while len(known) > _MAX_KEYS:
        known.popitem(last=False)  # the one that has been quiet longest


def _wait(failures: _Failures | None, now: float, longest: float) -> float:
    if failures is None or failures.count < _FREE or now - failures.last >= _FORGET_S:
        return 0.0
    # 2.0 ** 1024 is an OverflowError, and somebody may try as often.
    wait = min(2.0 ** min(failures.count - _FREE, 32), longest)
    return max(0.0, failures.last + wait - now)


def _network(address: str) -> str:
    """An address as it is counted: of IPv6 its /64, which one household has as a whole."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64))
    return str(found)
