"""When a CA is made, when it signs, and what its certificates say (S779)."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtensionOID
from waypost.gateway.tls import authorities
from waypost.gateway.tls.authorities import (
    KEYS,
    Authority,
    Unreadable,
    advanced,
    from_data,
    new_authority,
    new_leaf,
    signer_of,
    to_data,
)

START = datetime(2026, 3, 1, tzinfo=UTC)
NAME = "wp-gateway.waypost-system.svc"


def at(days: float) -> datetime:
    return START + timedelta(days=days)


def test_the_first_one_is_made_and_signs_at_once() -> None:
    [first] = advanced((), START)
    assert first.until == at(365)
    assert signer_of((first,), START) is first


@pytest.mark.parametrize(
    ("day", "trusted", "signs"),
    [
        pytest.param(1, 1, "first", id="in-its-time"),
        pytest.param(244, 1, "first", id="before-the-next-one"),
        pytest.param(246, 2, "first", id="overlap"),
        pytest.param(334, 2, "first", id="still"),
        pytest.param(336, 2, "second", id="the-next-one-signs"),
        pytest.param(366, 1, "second", id="the-first-has-ended"),
    ],
)
def test_both_are_trusted_for_ninety_days_before_the_next_one_signs(
    day: float, trusted: int, signs: str
) -> None:
    """S779: an attempt that started before the next CA existed has ended before it signs."""
    first = new_authority(START)
    second = new_authority(at(245.1))
    known = (first,) if day < 245 else (first, second)
    found = advanced(known, at(day))
    assert len(found) == trusted
    assert signer_of(found, at(day)) == (first if signs == "first" else second)
    assert (authorities.SUCCESSOR - authorities.RETIRES).days == 90


def test_after_a_year_without_a_gateway_there_is_a_new_one() -> None:
    first = new_authority(START)
    [second] = advanced((first,), at(400))
    assert second != first
    assert signer_of((second,), at(400)) is second


def test_one_that_ends_soon_and_is_the_only_one_still_signs() -> None:
    first = new_authority(START)
    assert signer_of((first,), at(350)) is first


def test_what_a_certificate_says() -> None:
    authority = new_authority(START)
    made = new_leaf(authority, NAME, START)
    found = x509.load_pem_x509_certificate(made.pair.chain)
    assert found.not_valid_after_utc == START + timedelta(hours=24)
    assert made.renewal == START + timedelta(hours=12)
    names = found.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    assert isinstance(names, x509.SubjectAlternativeName)
    assert names.get_values_for_type(x509.DNSName) == [NAME]
    found.verify_directly_issued_by(authority.certificate)
    basic = found.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert not basic.ca, "it signs no others"


def test_the_data_of_the_secret() -> None:
    pair = (new_authority(START), new_authority(at(250)))
    data = to_data(pair)
    assert from_data(data) == pair
    assert data["ca.crt"].count("BEGIN CERTIFICATE") == 2
    assert "PRIVATE" not in data["ca.crt"]
    assert from_data({}) == ()


def _of(document: str) -> dict[str, str]:
    return {KEYS: document}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_of("no"), id="no-json"),
        pytest.param(_of("[1]"), id="no-object"),
        pytest.param(_of('[{"certificate": "x", "key": "y"}]'), id="no-pem"),
    ],
)
def test_data_of_others_are_refused_without_their_text(data: dict[str, str]) -> None:
    with pytest.raises(Unreadable, match=r"its key authorities\.json cannot be read$"):
        from_data(data)


def test_the_key_of_another_certificate_is_refused() -> None:
    one, other = new_authority(START), new_authority(START)
    mixed = to_data([Authority(one.certificate, other.key)])
    with pytest.raises(Unreadable):
        from_data(mixed)
