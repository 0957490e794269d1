"""The master list that Germany published on 7 August 2024: every certificate is read, or refused with a reason."""

from collections import Counter
from pathlib import Path

import pytest

from pki.certificates.certificate import Reading, load_certificate
from pki.certificates.lint.element import read_element
from pki.certificates.lint.master_list import MasterListView
from pki.errors import PkiError


@pytest.fixture(scope="module")
def listed(shared_vectors: Path) -> list[bytes]:
    path = shared_vectors / "master-lists" / "DE_ML_2024-08-07-07-38-24.ml"
    view = MasterListView.from_element(read_element(path.read_bytes()))
    return [item.encoded for item in view.listed]


def test_every_certificate_is_read_or_refused_with_a_reason(listed: list[bytes]) -> None:
    assert len(listed) == 541
    refused: Counter[str] = Counter()
    for der in listed:
        try:
            certificate = load_certificate(der, Reading.TOLERANT)
        except PkiError as error:
            refused[error.code] += bool(str(error))
        else:
            assert certificate.public_key is not None
    # Four seeds that are not the published one, and two RSA keys without the NULL of RFC 3279, 2.3.1.
    assert refused == {"certificate.algorithm-not-allowed": 6}
    assert (541 - 6) / 541 >= 0.98


def test_what_a_card_may_be_signed_under_stays_stricter(listed: list[bytes]) -> None:
    def is_read(der: bytes) -> bool:
        try:
            load_certificate(der)
        except PkiError:
            return False
        return True

    # RSASSA-PKCS1-v1_5, SHA-1, small exponents: read as anchors of others, and never in a card's path.
    assert 0 < sum(map(is_read, listed)) < 200
