"""TLS to a carrier: whom we trust, and who we are."""

import ssl
from pathlib import Path

from channels.tls import client_context as trusting


def client_context(
    *, verify: bool, ca: Path | None, certificate: Path | None, certificate_key: Path | None
) -> ssl.SSLContext:
    """Return what a connection to a carrier is secured with: TLS 1.2 or later.

    Args:
        verify: Whether the carrier's certificate must be valid and name the host.
        ca: PEM file of who may have signed it; None: the authorities that the system trusts.
        certificate: PEM file of our own certificate, where the carrier asks for one.
        certificate_key: PEM file of its key; None: it stands in the same file.

    Raises:
        ValueError: A file cannot be read, or does not hold what it should; names its key.
    """
    try:
        made = trusting(ca, verify=verify)
    except OSError as error:
        raise ValueError(f"ca: no certificates in PEM form there: {_why(error)}") from None
    if certificate is not None:
        try:
            # A key that asks for a password would hold us up.
            made.load_cert_chain(certificate, certificate_key, password="")
        except OSError as error:
            raise ValueError(
                f"certificate: no certificate with its key in PEM form there: {_why(error)}"
            ) from None
    return made


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__


def why_not(error: OSError) -> str:
    """Return why a connection was not made, for an operator."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the carrier's certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS with the carrier: {error.reason or type(error).__name__}"
    return f"no connection: {_why(error)}"
