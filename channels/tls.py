"""TLS as a client of carriers and as one that listens; each channel puts errors into its own words."""

import ssl
from pathlib import Path


def client_context(ca: Path | None, *, verify: bool) -> ssl.SSLContext:
    """Return what a server's certificate is checked with: TLS 1.2 or later.

    Args:
        ca: Authorities that are believed; None: the machine's.
        verify: Whether it is checked at all.

    Raises:
        OSError: The authorities cannot be read, or are none.
    """
    context = ssl.create_default_context(cafile=ca)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def server_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """Return what we show to clients. Raises `OSError` where it cannot be read or does not fit."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


def reason(error: BaseException | None) -> str | None:
    """Return what is wrong with a server's certificate, if that is why a connection failed."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"the server's certificate is not valid: {error.verify_message}"
        error = error.__cause__ or error.__context__
    return None
