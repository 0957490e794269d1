"""What an authority is bound to, and how a roll-over hands it on."""

from typing import Any

import pytest

from pki.certificates.anchor_scope import (
    NO_SCOPE,
    AnchorScope,
    AnchorScopes,
    TrustDemand,
    TrustPurpose,
)
from pki.certificates.authority_path import fingerprint
from pki.certificates.trust import TrustAnchors, find_authority
from pki.errors import PkiRefusedError

CARDS = AnchorScope(
    purposes=frozenset({TrustPurpose.DOCUMENTS}),
    states=frozenset({"VNM"}),
    document_codes=frozenset({"CM"}),
)
DEMAND = TrustDemand(purpose=TrustPurpose.DOCUMENTS, state="VNM", document_code="CM")


@pytest.mark.parametrize(
    "demand",
    [
        TrustDemand(purpose=TrustPurpose.DOCUMENTS, state="VNM", document_code="I"),
        TrustDemand(purpose=TrustPurpose.DOCUMENTS, state="D", document_code="CM"),
        TrustDemand(purpose=TrustPurpose.DOCUMENTS, document_code="CM"),
        TrustDemand(purpose=TrustPurpose.DOCUMENTS, state="VNM"),
        TrustDemand(purpose=TrustPurpose.MASTER_LISTS),
        TrustDemand(purpose=TrustPurpose.STOP_LISTS),
    ],
)
def test_a_scope_admits_nothing_but_what_it_names(demand: TrustDemand) -> None:
    assert CARDS.admits(DEMAND)
    assert not CARDS.admits(demand)
    assert not NO_SCOPE.admits(demand)


def test_an_authority_without_a_scope_is_trusted_for_nothing(authority: Any) -> None:
    anchors = TrustAnchors.from_bytes(certificates=[authority.certificate], crls=[])
    signer = authority.issue()
    bound = AnchorScopes(named={fingerprint(authority.certificate): CARDS})
    assert find_authority(signer, anchors, demand=DEMAND, scopes=bound)
    for scopes in (AnchorScopes(), AnchorScopes(named={"00" * 32: CARDS}), None):
        with pytest.raises(PkiRefusedError) as caught:
            find_authority(signer, anchors, demand=DEMAND, scopes=scopes)
        assert caught.value.code == "signer.authority-scope"
