"""Certificates for servers and clients of tests, each made for the test that needs it."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_DAY = timedelta(days=1)


class Authority:
    """Signs certificates; ``path`` is the PEM file of its own.

    Args:
        folder: Where the files are written.
        name: Of the authority and its file.
    """

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._name = _named(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        made = self._begun(self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self._certificate = made.sign(self._key, hashes.SHA256())
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(self._certificate.public_bytes(Encoding.PEM))

    def sign(self, name: str, address: str = "127.0.0.1", *, days: int = 1) -> Path:
        """Return the PEM file of a certificate for an address, with its key.

        Args:
            name: Of the file.
            address: That it is good for.
            days: From today, for which it is valid; negative: it was.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        whose = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        made = self._begun(_named(name), key, days).add_extension(whose, critical=False)
        signed = made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = self._folder / f"{name}.pem"
        path.write_bytes(signed + private)
        return path

    def _begun(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, days: int = 1
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 10 * _DAY)
            .not_valid_after(now + days * _DAY)
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
