"""Who sent a request: its address, and whether it comes from this machine, by TLS, or through a proxy.

A proxy that is named in the configuration is believed about address, scheme and host; nobody else is. What came through
any proxy, believed or not, is never taken for this machine itself: a proxy lets others in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from wattrail.web.asgi import RequestScope, headers_of

__all__ = ["Peer", "peer_of", "proxy_networks"]

_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network

_MARKS_OF_A_PROXY: Final = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"})
_MAX_HOPS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """``address`` is an IP address, or empty where none is known. ``host`` is what the visitor typed."""

    address: str
    host: str
    is_local: bool = False
    is_secure: bool = False


def proxy_networks(trusted: Sequence[str]) -> tuple[_Network, ...]:
    """Addresses and networks as they stand in the configuration. Raises ValueError."""
    return tuple(ip_network(text, strict=False) for text in trusted)


def peer_of(scope: RequestScope, trusted: Sequence[_Network]) -> Peer:
    """The sender of a request, by its connection and by what a trusted proxy says."""
    headers = headers_of(scope)
    client = (scope.get("client") or ("",))[0]
    address, is_secure, host = _address(client), scope.get("scheme") == "https", headers.get("host", "")
    # Never this machine, even where the proxy runs on it: behind a proxy there is somebody else.
    if address is not None and _is_in(address, trusted):
        return _forwarded(headers, address, host, trusted, is_secure=is_secure)
    is_local = address is not None and address.is_loopback and not _MARKS_OF_A_PROXY & headers.keys()
    return Peer(address=str(address or ""), host=host, is_local=is_local, is_secure=is_secure)


def _forwarded(
    headers: Mapping[str, str], proxy: _Address, host: str, trusted: Sequence[_Network], *, is_secure: bool
) -> Peer:
    """What the proxies say: of the addresses, the last that is not a trusted proxy's own."""
    address = proxy
    # From the right: each proxy appends whom it saw; what stands further left may be of the visitor's own making.
    for text in reversed(headers.get("x-forwarded-for", "").split(",")[-_MAX_HOPS:]):
        found = _address(text.strip())
        if found is None:
            break
        address = found
        if not _is_in(found, trusted):
            break
    scheme = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
    return Peer(
        address=str(address),
        host=headers.get("x-forwarded-host", host).rpartition(",")[2].strip(),
        is_secure=scheme == "https" if scheme else is_secure,
    )


def _address(text: str) -> _Address | None:
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)  # a socket for both versions shows 127.0.0.1 as ::ffff:127.0.0.1
    return mapped or found


def _is_in(address: _Address, networks: Sequence[_Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)
