"""Certificates of servers that a publisher talks to: whose signature counts, and what to do where it does not."""

from __future__ import annotations

import ssl
from pathlib import Path

from wattrail.errors import AccessDenied, FileError

__all__ = ["not_trusted", "trusting"]


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """TLS that trusts the authority of a file, else those of the system. Raises FileError."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # a missing file, and one without a certificate in it
        raise FileError(f"{ca_file} cannot be used as ca_file: {error.strerror or error}") from error


def not_trusted(target: str, error: ssl.SSLCertVerificationError) -> AccessDenied:
    """The error for a server whose certificate nobody known has signed: a person has to act."""
    return AccessDenied(
        f"{target}: its certificate is not trusted: {error.verify_message}",
        hint="name the authority that signed it as ca_file",
    )
