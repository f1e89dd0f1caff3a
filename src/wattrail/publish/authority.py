"""Web servers that a publisher talks to: one connection, whose certificate counts, and what to do where it does not."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from wattrail.errors import AccessDenied, FileError

__all__ = ["connection_to", "not_trusted", "target_of", "trusting"]


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """TLS that trusts the authority of a file, else those of the system. Raises FileError."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # a missing file, and one without a certificate in it
        raise FileError(f"{ca_file} cannot be used as ca_file: {error.strerror or error}") from error


def connection_to(url: str, *, timeout_s: float, ca_file: Path | None = None) -> http.client.HTTPConnection:
    """A connection to the server of a URL, not made before its first request; by TLS for https. Raises FileError."""
    where = urlsplit(url)
    if where.scheme != "https":
        return http.client.HTTPConnection(where.netloc, timeout=timeout_s)
    return http.client.HTTPSConnection(where.netloc, timeout=timeout_s, context=trusting(ca_file))


def target_of(url: str) -> str:
    """Path and query of a URL, as a request names them."""
    where = urlsplit(url)
    return f"{where.path or '/'}{f'?{where.query}' if where.query else ''}"


def not_trusted(target: str, error: ssl.SSLCertVerificationError) -> AccessDenied:
    """The error for a server whose certificate nobody known has signed: a person has to act."""
    return AccessDenied(
        f"{target}: its certificate is not trusted: {error.verify_message}",
        hint="name the authority that signed it as ca_file",
    )
