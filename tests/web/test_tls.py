"""The page by TLS: what is served, what is refused with its reason, and renewal without a restart."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.web.access_rig import Site, page
from wattrail.app.access import require_certificate
from wattrail.app.plan import WebPlan
from wattrail.errors import ConfigError, FileError
from wattrail.web import Setup, tls
from wattrail.web.tls import CertificateFiles, certificate_warning, server_context, take_up_renewals

PASSPHRASE = b"a passphrase"


def made(folder: Path, name: str, *, days: int = 90, passphrase: bytes | None = None) -> CertificateFiles:
    """A certificate for localhost that is its own authority, and its key, as a person has them from openssl."""
    folder.mkdir(exist_ok=True)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = CertificateFiles(folder / f"{name}.pem", folder / f"{name}.key")
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    lock = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    files.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock))
    files.key.chmod(0o600)
    return files


def trusting(files: CertificateFiles) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=files.certificate)
    context.check_hostname = False
    return context


def test_the_page_is_served_by_tls_with_a_cookie_for_it_alone(tmp_path: Path, quick_passwords: None) -> None:
    files, site = made(tmp_path, "first"), Site(tmp_path)
    site.user("anna")
    site.tls = trusting(files)

    async def story() -> None:
        async with page(site, setup=Setup(database=site.database), tls=server_context(files)) as served:
            answer = await served.login("anna", Origin=f"https://{served.host}:{served.port}")
            assert answer.status == 200
            cookie, *attributes = answer.headers["set-cookie"].split("; ")
            assert cookie.startswith("__Host-wattrail=")
            assert {"Secure", "HttpOnly", "SameSite=strict", "Path=/"} <= set(attributes)
            assert answer.headers["strict-transport-security"] == "max-age=31536000"
            assert (await served.ask("GET /api/v1/session", Cookie=cookie)).json["who"] == "anna"

    asyncio.run(asyncio.wait_for(story(), 60))


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    files = made(tmp_path, "open")
    for mode in (0o644, 0o604, 0o660, 0o606):
        files.key.chmod(mode)
        with pytest.raises(ConfigError, match=f"has mode {mode:04o}: others may read it, or a group") as caught:
            server_context(files)
        assert caught.value.hint == f"chmod 600 {files.key}"
    for mode in (0o600, 0o640, 0o400):
        files.key.chmod(mode)
        server_context(files)


def test_a_pair_that_cannot_be_served_says_why(tmp_path: Path) -> None:
    first, second = made(tmp_path, "first"), made(tmp_path, "second")
    locked = made(tmp_path, "locked", passphrase=PASSPHRASE)
    (tmp_path / "junk.pem").write_text("this is a letter")
    os.mkfifo(tmp_path / "pipe.key", 0o600)  # opening it as a file would wait for ever
    for files, says in (
        (CertificateFiles(first.certificate, second.key), "the key is that of another certificate"),
        (CertificateFiles(tmp_path / "junk.pem", first.key), "one of them is not PEM text"),
        (locked, "the key has a passphrase, and there is nobody to type it"),
        (CertificateFiles(tmp_path / "gone.pem", first.key), "No such file or directory"),
        (CertificateFiles(first.certificate, tmp_path / "gone.key"), "cannot be read: No such file"),
        (CertificateFiles(first.certificate, tmp_path / "pipe.key"), "is a pipe, not a file"),
    ):
        with pytest.raises((ConfigError, FileError), match=says):
            server_context(files)


def test_a_certificate_that_browsers_will_refuse_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert certificate_warning(made(tmp_path, "good")) is None
    assert "expires in 4 days: renew it" in str(certificate_warning(made(tmp_path, "soon", days=5)))
    old = made(tmp_path, "old", days=-1)
    assert "certificate has expired; browsers will refuse it" in str(certificate_warning(old))
    with caplog.at_level(logging.WARNING):
        require_certificate(WebPlan(certificate=old.certificate, key=old.key))  # meters are read all the same
    assert "has expired" in caplog.text


def test_a_renewed_certificate_is_taken_up_and_a_wrong_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tls, "LOOK_EVERY_S", 0.01)
    files, renewed, other = made(tmp_path, "first"), made(tmp_path, "renewed"), made(tmp_path, "other")
    site = Site(tmp_path)
    site.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    site.tls.check_hostname, site.tls.verify_mode = False, ssl.CERT_NONE

    async def served_certificate(port: int) -> bytes:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=site.tls)
        found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return found

    def content(files: CertificateFiles) -> bytes:
        return ssl.PEM_cert_to_DER_cert(files.certificate.read_text())

    async def until(words: str) -> None:
        while words not in caplog.text:
            await asyncio.sleep(0.01)

    async def story() -> None:
        context = server_context(files)
        before = content(files)
        async with page(site, setup=Setup(database=site.database), tls=context) as running:
            looking = asyncio.create_task(take_up_renewals(context, files))
            await asyncio.sleep(0)
            assert await served_certificate(running.port) == before
            shutil.copy(other.certificate, files.certificate)  # its key is not there yet
            await until("the key is that of another certificate")
            assert await served_certificate(running.port) == before
            shutil.copy(renewed.certificate, files.certificate)
            shutil.copy(renewed.key, files.key)
            await until("was renewed, and is served from now on")
            assert await served_certificate(running.port) == content(renewed)
            looking.cancel()

    with caplog.at_level(logging.WARNING):
        asyncio.run(asyncio.wait_for(story(), 60))


def test_plain_http_to_a_port_of_tls_gets_nothing(tmp_path: Path) -> None:
    files, site = made(tmp_path, "first"), Site(tmp_path)
    site.tls = trusting(files)

    async def story() -> None:
        async with page(site, setup=Setup(database=site.database), tls=server_context(files)) as served:
            reader, writer = await asyncio.open_connection(served.host, served.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with suppress(ConnectionError):
                assert b"HTTP" not in await reader.read()
            writer.close()
            assert (await served.ask("GET /api/v1/health")).status == 200

    asyncio.run(asyncio.wait_for(story(), 60))
