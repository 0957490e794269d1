"""Signing: each card once, whatever is cut off in between."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from card_layout.files.security_object_file import SecurityObjectFile
from issuer.db.production_tables import CardContentsRow
from issuer.db.register import SqlRegister
from issuer.domain.card import CardState
from issuer.domain.member import PortraitDigest
from issuer.services.sign_cards import CardPolicy, CardSigning, SigningOutcome
from issuer.services.signing_values import KeptPicture
from issuer.services.visit_chip import StationTask, VisitResult
from pki.errors import PkiRefusedError
from pki.keys.algorithms import HashAlgorithm
from pki.services.document_signer import SigningRequest
from pki.signed.security_object import SecurityObject, sign_security_object
from simulators.authority import SignerKind
from simulators.authority import TestAuthority as Authority
from simulators.testing import TEST_TIME
from tests.contract.bound_cards import bind_cards

NOW = TEST_TIME + timedelta(hours=1)


class RecordingSigner:
    """A document signer that records before it signs, and can lose what it signed."""

    def __init__(self, authority: Authority) -> None:
        self._key = authority.signers[SignerKind.CURRENT]
        self.requests: list[SigningRequest] = []
        self.loses_next = False
        self.alters_next = False

    @property
    def hash_algorithm(self) -> HashAlgorithm:
        return HashAlgorithm.SHA256

    @property
    def certificate(self) -> bytes:
        return self._key.certificate

    def sign(self, request: SigningRequest) -> bytes:
        is_used = any(each.reference == request.reference for each in self.requests)
        if is_used and request.re_signing_of is None:
            raise PkiRefusedError("signed already", code="signing.reference-used")
        self.requests.append(request)
        if self.loses_next:
            self.loses_next = False
            raise KeyboardInterrupt
        hashes = dict(request.file_hashes)
        if self.alters_next:
            hashes[1] = bytes(32)
        return sign_security_object(
            signer=self._key.signer,
            certificate_der=self._key.certificate,
            file_hashes=hashes,
            signing_time=request.signing_time,
            status_reference=request.status_reference,
        )

    def sign_many(self, requests: Sequence[SigningRequest]) -> list[bytes]:
        return [self.sign(request) for request in requests]


class Bench:
    def __init__(self, workshop: Any, authority: Authority, image: bytes) -> None:
        self.workshop = workshop
        self.signer = RecordingSigner(authority)
        self.portraits = workshop.portraits
        self.portraits.image = image
        self.now = NOW
        workshop.add_members(2)
        workshop.receive(1, 2)
        self.chips = [workshop.blank(1), workshop.blank(2)]
        for chip in self.chips:
            workshop.visit(chip, StationTask.INITIALISE)
        bind_cards(
            ledger=workshop.cards,
            profile=workshop.profile,
            random_bytes=bytes_of(5),
            marks=workshop.marks,
        )

    def signing(self) -> CardSigning:
        return CardSigning(
            cards=self.workshop.cards,
            register=SqlRegister(self.workshop.database, self.workshop.sealer),
            portraits=self.portraits,
            signer=self.signer,
            profile=self.workshop.profile,
            policy=CardPolicy(validity_years=10, personalisation_system="membercard"),
            clock=self.clock,
        )

    def sign(self) -> Sequence[SigningOutcome]:
        return self.signing().sign(self.workshop.cards.bound())

    def clock(self) -> datetime:
        return self.now

    def states(self) -> list[CardState]:
        return [card.state for card in self.workshop.cards.cards()]


def bytes_of(seed: int) -> Any:
    return random.Random(seed).randbytes


@pytest.fixture
def bench(workshop: Any, test_pki: Authority, portrait_image: bytes) -> Bench:
    return Bench(workshop, test_pki, portrait_image)


def test_every_bound_card_is_signed_with_its_own_hashes_and_status(bench: Bench) -> None:
    outcomes = bench.sign()
    assert [outcome.code for outcome in outcomes] == [None, None]
    assert bench.states() == [CardState.SIGNED, CardState.SIGNED]
    for card in bench.workshop.cards.cards():
        job = bench.workshop.station.load_job(card.reference)
        signed = SecurityObject.from_bytes(
            SecurityObjectFile.from_bytes(job.contents["EF.SOD"]).content_info
        )
        assert signed.status_reference is not None
        assert (signed.status_reference.list_id, signed.status_reference.index) == (
            card.status.list_id,
            card.status.index,
        )
        assert sorted(signed.file_hashes) == [1, 2, 11, 12, 13, 14]
        for file in bench.workshop.profile.application_files:
            if file.data_group is not None:
                digest = HashAlgorithm.SHA256.digest(job.contents[file.name])
                assert signed.file_hashes[file.data_group] == digest


def test_a_signed_card_can_be_made(bench: Bench) -> None:
    bench.sign()
    for chip in bench.chips:
        assert bench.workshop.visit(chip, StationTask.PERSONALISE)[0].result is VisitResult.DONE


def test_a_signature_that_was_lost_on_the_way_is_asked_for_again_with_the_same_files(
    bench: Bench,
) -> None:
    bench.signer.loses_next = True
    with pytest.raises(KeyboardInterrupt):
        bench.sign()
    assert bench.states() == [CardState.BOUND, CardState.BOUND]
    bench.now += timedelta(hours=3)
    assert [outcome.code for outcome in bench.sign()] == [None, None]
    first, again, _ = bench.signer.requests
    assert first.reference == again.reference
    # Nothing of the card may change between the two, or there would be two different cards.
    assert first.file_hashes == again.file_hashes
    assert first.re_signing_of is None
    assert again.re_signing_of


def test_a_reference_that_the_signer_knows_and_we_do_not_is_not_signed_again(bench: Bench) -> None:
    card = bench.workshop.cards.cards()[0]
    request = SigningRequest(
        reference=card.reference,
        file_hashes={1: bytes(32)},
        status_reference=None,  # type: ignore[arg-type]  # never looked at
        signing_time=NOW,
    )
    bench.signer.requests.append(request)
    outcomes = bench.sign()
    assert [outcome.code for outcome in outcomes] == ["signing.reference-used", None]


def test_a_card_whose_portrait_is_lost_does_not_stop_the_others(bench: Bench) -> None:
    image = bench.portraits.image
    bench.portraits.image = None
    assert [outcome.code for outcome in bench.sign()] == ["portrait.lost"] * 2
    assert bench.signer.requests == []
    bench.portraits.image = image
    assert [outcome.code for outcome in bench.sign()] == [None, None]


def test_a_prepared_card_whose_picture_is_lost_is_not_built_anew_nor_in_the_others_way(
    bench: Bench,
) -> None:
    bench.signer.loses_next = True
    with pytest.raises(KeyboardInterrupt):
        bench.sign()
    cards, vault = bench.workshop.cards, bench.workshop.vault
    first, second = cards.bound()
    lost = KeptPicture(digest=PortraitDigest(bytes(32)), image=bench.portraits.image)
    sealed = vault.seal_contents(cards.job(first), lost)
    with bench.workshop.database.writing() as session:
        session.get_one(CardContentsRow, first).sealed = sealed
    bench.portraits.lost.add(lost.digest)
    outcomes = {each.reference: each for each in bench.sign()}
    assert (outcomes[first].code, outcomes[second].code) == ("portrait.lost", None)
    [serial] = [each.serial.hex().upper() for each in cards.cards() if each.reference == first]
    assert f"card of chip {serial}" in str(outcomes[first].message)
    with bench.workshop.database.reading() as session:
        assert session.get_one(CardContentsRow, first).sealed == sealed
    bench.portraits.lost.clear()
    assert [each.code for each in bench.sign()] == [None]
    first_requests = [each for each in bench.signer.requests if each.reference == first]
    assert len({tuple(each.file_hashes.values()) for each in first_requests}) == 1


def test_a_signer_that_signs_something_else_is_not_believed(bench: Bench) -> None:
    bench.signer.alters_next = True
    outcomes = bench.sign()
    assert [outcome.code for outcome in outcomes] == ["security-object.not-as-requested"] * 2
    assert bench.states() == [CardState.BOUND] * 2


def test_a_card_that_was_bound_for_another_profile_is_refused(bench: Bench) -> None:
    bench.workshop.profile = replace(bench.workshop.profile, name="another")
    assert {outcome.code for outcome in bench.sign()} == {"card.other-profile"}
