"""CAs and the certificates that they sign. Pure: the time comes in as `now`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from waypost.gateway.tls.serving import Pair

LIFETIME: Final = timedelta(days=365)
# A pod trusts the CAs that exist when it starts. So the next one exists 90 days before it signs.
SUCCESSOR: Final = timedelta(days=120)  # before the end of the newest
RETIRES: Final = timedelta(days=30)  # before its end an authority signs no more
LEAF_LIFETIME: Final = timedelta(hours=24)
LEAF_RENEWAL: Final = timedelta(hours=12)
_SKEW: Final = timedelta(hours=1)  # of clocks

BUNDLE: Final = "ca.crt"  # what clients trust
KEYS: Final = "authorities.json"


class Unreadable(Exception):
    """The data of the Secret are not those that a gateway has written. The message says why."""


@dataclass(frozen=True)
class Authority:
    """A CA."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False, compare=False)

    @property
    def until(self) -> datetime:
        """Its end."""
        return self.certificate.not_valid_after_utc

    @property
    def pem(self) -> str:
        """Its certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()


class Leaf(NamedTuple):
    """A certificate of a server. `renewal`: when the next one is due."""

    pair: Pair
    authority: Authority
    renewal: datetime


def advanced(authorities: Sequence[Authority], now: datetime) -> tuple[Authority, ...]:
    """The authorities that clients trust from `now` on, oldest first: without those that have
    ended, and with the next one if it is due (S779)."""
    valid = tuple(each for each in authorities if now < each.until)
    if not valid or valid[-1].until - now < SUCCESSOR:
        return (*valid, new_authority(now))
    return valid


def signer_of(authorities: Sequence[Authority], now: datetime) -> Authority:
    """The one that signs: the oldest that does not end soon, because most clients trust it."""
    lasting = [each for each in authorities if each.until - now > RETIRES]
    return lasting[0] if lasting else authorities[-1]


def new_authority(now: datetime) -> Authority:
    """A new CA, which signs certificates of servers and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    identity = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # Each has its own name: a client looks for the issuer of a certificate by name.
    name = _name(f"waypost gateways {identity.digest.hex()[:16]}")
    builder = (
        _certificate(name, key.public_key(), now, LIFETIME)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(identity, critical=False)
    )
    return Authority(builder.sign(key, hashes.SHA256()), key)


def new_leaf(authority: Authority, name: str, now: datetime) -> Leaf:
    """A new certificate for a server with this name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    identity = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identity.value)
    builder = (
        _certificate(_name("waypost"), key.public_key(), now, LEAF_LIFETIME)
        .issuer_name(authority.certificate.subject)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer, critical=False)
    )
    certificate = builder.sign(authority.key, hashes.SHA256())
    chain = certificate.public_bytes(serialization.Encoding.PEM)
    return Leaf(Pair(chain, _text_of(key).encode()), authority, now + LEAF_RENEWAL)


def to_data(authorities: Sequence[Authority]) -> dict[str, str]:
    """The data of the Secret, as text."""
    pairs = [{"certificate": each.pem, "key": _text_of(each.key)} for each in authorities]
    return {
        BUNDLE: "".join(each.pem for each in authorities),
        KEYS: json.dumps(pairs, separators=(",", ":")),
    }


def from_data(data: dict[str, str]) -> tuple[Authority, ...]:
    """The authorities in the data of the Secret, oldest first; none if it is empty. Raises
    Unreadable."""
    if not data.get(KEYS):
        return ()
    try:
        found = [_authority(each) for each in json.loads(data[KEYS])]
    except (ValueError, TypeError, LookupError, InvalidSignature):
        # Not its own text: it could have a part of a key.
        raise Unreadable(f"its key {KEYS} cannot be read") from None
    return tuple(sorted(found, key=lambda each: each.until))


def _authority(document: Any) -> Authority:
    certificate = x509.load_pem_x509_certificate(document["certificate"].encode())
    key = serialization.load_pem_private_key(document["key"].encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("not a key of an elliptic curve")
    if key.public_key() != certificate.public_key():
        raise ValueError("the key is that of another certificate")
    return Authority(certificate, key)


def _certificate(
    subject: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + lifetime)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _text_of(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
