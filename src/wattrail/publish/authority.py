"""Web servers that a publisher talks to: one connection, whose certificate counts, and what to do where it does not."""

from __future__ import annotations

import base64
import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from wattrail.credentials import Credentials
from wattrail.errors import AccessDenied, FileError, PortOpenError
from wattrail.publish.status import DeliveryFailed, PublisherStatus
from wattrail.sanitize import printable
from wattrail.transport.connection_reason import connection_reason

__all__ = ["HttpPost", "PostAnswer", "basic_authorization", "connection_to", "not_trusted", "target_of", "trusting"]

_MAX_ANSWER: Final = 4096
"""Bytes of an answer that are read: only its beginning is ever shown."""


@dataclass(frozen=True, slots=True)
class PostAnswer:
    """Status, headers and the beginning of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpPost:
    """A POST by a connection of its own.

    ``shown`` is the consumer in errors, ``action`` what failed there, as in "cannot write".
    """

    url: str
    shown: str
    action: str
    timeout_s: float
    ca_file: Path | None = None

    def send(self, body: bytes, headers: Mapping[str, str]) -> PostAnswer:
        """The answer, whatever its status. Raises DeliveryFailed."""
        try:
            connection = connection_to(self.url, timeout_s=self.timeout_s, ca_file=self.ca_file)
        except FileError as error:
            raise DeliveryFailed(PublisherStatus.REFUSED, error) from error
        try:
            connection.request("POST", target_of(self.url), body, headers)
            answer = connection.getresponse()
            # ``read1``: a server that names no length and keeps the connection open would be read until the deadline.
            return PostAnswer(answer.status, answer.headers, answer.read1(_MAX_ANSWER))  # type: ignore[arg-type]
        except ssl.SSLCertVerificationError as error:
            raise DeliveryFailed(PublisherStatus.REFUSED, not_trusted(self.shown, error)) from error
        except (OSError, http.client.HTTPException) as error:
            reason = printable(connection_reason(error, urlsplit(self.url).netloc), limit=160)
            away = PortOpenError(f"{self.shown}: cannot {self.action}: {reason}", hint="check that it runs there")
            raise DeliveryFailed(PublisherStatus.AWAY, away) from error
        finally:
            connection.close()


def basic_authorization(login: Credentials) -> str:
    """The header of a user and a password (RFC 7617)."""
    return f"Basic {base64.b64encode(f'{login.user}:{login.password}'.encode()).decode()}"


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
