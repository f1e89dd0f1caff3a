"""TLS of the page: certificate and key are checked before anything is served, and taken up again when they are renewed.

An expired certificate is still served, with a warning: meters must be read after a night's power cut, and browsers say
themselves what is wrong.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from wattrail.errors import ConfigError, WattrailError
from wattrail.files import read_bytes
from wattrail.sanitize import printable

__all__ = [
    "CertificateFiles",
    "CertificateState",
    "certificate_state",
    "certificate_warning",
    "server_context",
    "take_up_renewals",
]

LOOK_EVERY_S: Final = 30.0
"""How often the files are looked at. Programs that renew write both within a second."""

MAX_KEY_BYTES: Final = 64 * 1024
"""Bytes of a key's file; one of 4,096 bits has 3 kB."""

_TOO_OPEN: Final = stat.S_IWGRP | stat.S_IRWXO
"""A group may read a key (ssl-cert), nobody else may, and no group may write it."""

_PLAIN_KEY: Final = "openssl pkey -in KEY -out PLAIN_KEY writes it without one; then chmod 600 PLAIN_KEY"

logger = logging.getLogger(__name__)


class CertificateFiles(NamedTuple):
    """Certificate (with its chain) and key, as PEM files."""

    certificate: Path
    key: Path

    def stamp(self) -> tuple[object, ...]:
        """What changes when a file is renewed. Raises OSError."""
        return tuple((found.st_mtime_ns, found.st_size, found.st_ino) for found in map(os.stat, self))


def server_context(files: CertificateFiles) -> ssl.SSLContext:
    """What a server needs. Raises ConfigError and FileError, which say what is wrong with which file."""
    _check_mode(files.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, files)
    return context


class CertificateState(NamedTuple):
    """When a certificate that can be served expires, where it has not yet; what browsers will not like about it."""

    expires: datetime | None = None
    warning: str | None = None


def certificate_warning(files: CertificateFiles) -> str | None:
    """What browsers will not like about a certificate that can be served: it has expired, for example.

    Raises ConfigError and FileError for one that cannot.
    """
    return certificate_state(files).warning


def certificate_state(files: CertificateFiles) -> CertificateState:
    """The state of a certificate that can be served. Raises ConfigError and FileError for one that cannot."""
    # The standard library tells the dates of a certificate to the other end of a handshake only.
    server = server_context(files)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # it is its own authority here: only its dates and use count
    client.load_verify_locations(cafile=files.certificate)
    try:
        expires = _shake_hands(client, server)
    except ssl.SSLCertVerificationError as error:
        name = printable(str(files.certificate))
        return CertificateState(warning=f"the certificate {name}: {error.verify_message}; browsers will refuse it")
    days = (expires - datetime.now(UTC)).days
    if days < 14:
        text = f"the certificate {printable(str(files.certificate))} expires in {days} days: renew it"
        return CertificateState(expires, text)
    return CertificateState(expires)


async def take_up_renewals(context: ssl.SSLContext, files: CertificateFiles) -> None:
    """Load the files again whenever they change, until cancelled; what cannot be used is logged and not taken."""
    known = files.stamp()
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        try:
            stamp = files.stamp()
            if stamp != known:
                known = stamp
                server_context(files)  # a pair that does not match must not replace one that does
                _load(context, files)
                logger.warning("the certificate %s was renewed, and is served from now on", files.certificate)
        except (OSError, WattrailError) as error:  # perhaps half of a renewal: the other file changes the stamp again
            logger.warning("the renewed certificate is not used, the one before still is: %s", error)


def _check_mode(key: Path) -> None:
    try:
        mode = key.stat().st_mode
    except OSError as error:
        raise ConfigError(f"the key {printable(str(key))} cannot be read: {error.strerror}") from error
    if mode & _TOO_OPEN:
        raise ConfigError(
            f"the key {printable(str(key))} has mode {stat.S_IMODE(mode):04o}: "
            "others may read it, or a group may write it",
            hint=f"chmod 600 {printable(str(key))}",
        )


def _load(context: ssl.SSLContext, files: CertificateFiles) -> None:
    names = f"certificate {printable(str(files.certificate))}, key {printable(str(files.key))}"
    try:
        # OpenSSL would ask for the passphrase at the terminal, and a service would wait there for ever.
        if b"ENCRYPTED" in read_bytes(files.key, limit=MAX_KEY_BYTES):
            raise ConfigError(f"{names}: the key has a passphrase, and there is nobody to type it", hint=_PLAIN_KEY)
        context.load_cert_chain(files.certificate, files.key)
    except ssl.SSLError as error:
        is_mismatch = error.reason == "KEY_VALUES_MISMATCH"
        reason = "the key is that of another certificate" if is_mismatch else f"one of them is not PEM text ({error})"
        raise ConfigError(
            f"{names}: {reason}", hint="the certificate stands first in its file, before its chain"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"{names}: {error.strerror or error}", hint="check both paths, and who may read them"
        ) from error


def _shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> datetime:
    """Verify a server's certificate as a client does, within memory; gives when it expires."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_side=False),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(8):
        done = 0
        for end in ends:
            try:
                end.do_handshake()
                done += 1
            except ssl.SSLWantReadError:
                continue
        if done == len(ends):
            break
    found = ends[0].getpeercert() or {}
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(found["notAfter"])), UTC)
