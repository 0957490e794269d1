"""Sign bound cards: build every data group, keep what will be signed, have it signed once, keep EF.SOD."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from card_layout.errors import CardDataError
from card_layout.files.security_object_file import SecurityObjectFile
from card_layout.profile import CardProfile
from issuer.domain.batch import BatchId
from issuer.domain.card import CardReference
from issuer.domain.card_job import CardJob
from issuer.domain.production_errors import TransitionError
from issuer.domain.rights import AccountName
from issuer.errors import IssuerRefusedError
from issuer.services.build_jobs import BuildRefusal, CardBuilding, CardPolicy
from issuer.services.production_ports import CardLedger, Clock
from issuer.services.register_ports import PortraitStore, Register
from issuer.services.signing_values import CardToSign, JobToKeep
from pki.errors import PkiDataError, PkiRefusedError
from pki.services.document_signer import DocumentSigner, SigningRequest
from pki.signed.security_object import SecurityObject, StatusReference

__all__ = [
    "CARDS_IN_REQUEST",
    "CardPolicy",
    "CardSigning",
    "SigningOutcome",
    "bound_in_requests",
]

CARDS_IN_REQUEST: Final = 500
"""How many cards the signer is asked for at once."""

_REFUSALS = (IssuerRefusedError, PkiRefusedError, CardDataError, PkiDataError)
_LOST = "the issuer was cut off before it kept the first security object"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningOutcome:
    """One card: signed where ``code`` is ``None``, else refused for that reason."""

    reference: CardReference
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A card whose files are kept; ``was_prepared`` where they were before, so that the signer may know it."""

    card: CardToSign
    job: CardJob
    was_prepared: bool


def bound_in_requests(
    cards: CardLedger,
    *,
    limit: int | None = None,
    batch_id: BatchId | None = None,
    without: Collection[CardReference] = (),
) -> list[Sequence[CardReference]]:
    """Bound cards, or those of one batch, in the order of binding, in parts that the signer is asked for together.

    At most ``limit`` of them, and none of those that are to be left out.
    """
    bound = cards.bound(batch_id=batch_id)
    wished = [reference for reference in bound if reference not in without][:limit]
    return [
        wished[start : start + CARDS_IN_REQUEST]
        for start in range(0, len(wished), CARDS_IN_REQUEST)
    ]


class CardSigning:
    """The use case; the signer is asked for many cards at once, and what it gave is kept together."""

    def __init__(
        self,
        *,
        cards: CardLedger,
        register: Register,
        portraits: PortraitStore,
        signer: DocumentSigner,
        profile: CardProfile,
        policy: CardPolicy,
        clock: Clock,
        authorisation: bytes | None = None,
    ) -> None:
        """``authorisation`` is the digest of the one that the signer was given, against which its cards count."""
        self._authorisation = authorisation
        self._cards = cards
        self._signer = signer
        self._profile = profile
        self._clock = clock
        self._building = CardBuilding(
            register=register,
            portraits=portraits,
            profile=profile,
            policy=policy,
            clock=clock,
        )

    def sign_all(
        self,
        *,
        limit: int | None = None,
        batch_id: BatchId | None = None,
        account: AccountName | None = None,
        without: Collection[CardReference] = (),
    ) -> Iterator[SigningOutcome]:
        """Every bound card, or those of one batch, one request after another; see ``sign``, ``bound_in_requests``."""
        for references in bound_in_requests(
            self._cards, limit=limit, batch_id=batch_id, without=without
        ):
            yield from self.sign(references, account=account)

    def sign(
        self, references: Sequence[CardReference], *, account: AccountName | None = None
    ) -> Sequence[SigningOutcome]:
        """Bound cards that go to the signer together; a refusal of one does not stop the next.

        1. The files of each card are built, unless they were kept before: what the signer may have been asked to
           sign must never change.
        2. They are kept, sealed, before the signer is asked.
        3. The signer records, and signs. It takes all cards of a request or none: after a refusal each of them is
           asked for by itself, so that only those are left out that are the reason.
        4. What comes back is read as a verifier reads it, and only then kept.

        Raises:
            IssuerUnavailableError, KeystoreError, RecordError: nothing can be signed any more.
        """
        outcomes: list[SigningOutcome] = []
        cards = self._cards.to_sign(references)
        # Of those that are not bound any more, nothing is read.
        bound = {card.reference for card in cards}
        outcomes += [_not_bound(each) for each in references if each not in bound]
        prepared = self._prepare(cards, account, outcomes)
        if prepared:
            self._have_signed(prepared, account, outcomes)
        return outcomes

    def _prepare(
        self,
        cards: Sequence[CardToSign],
        account: AccountName | None,
        outcomes: list[SigningOutcome],
    ) -> Sequence[_Prepared]:
        """The cards whose files are kept; the ends of the others are among the outcomes."""
        known = self._known([card.reference for card in cards if card.is_prepared], outcomes)
        # What the signer may have been asked for is never built anew, whether it can be read or not.
        cards = [card for card in cards if card.reference in known or not card.is_prepared]
        built: dict[CardReference, JobToKeep] = {}
        for card, found in self._building.build(
            [card for card in cards if card.reference not in known]
        ):
            if isinstance(found, JobToKeep):
                built[card.reference] = found
            else:
                outcomes.append(_refused(card.reference, found))
        kept = self._cards.prepare_several(list(built.values()), account=account)
        prepared: list[_Prepared] = []
        for card in cards:
            job = known.get(card.reference)
            if job is not None:
                prepared.append(_Prepared(card=card, job=job, was_prepared=True))
            elif card.reference in kept:
                new = built[card.reference].job
                prepared.append(_Prepared(card=card, job=new, was_prepared=False))
            elif card.reference in built:
                outcomes.append(_not_bound(card.reference))
        return prepared

    def _known(
        self, references: Sequence[CardReference], outcomes: list[SigningOutcome]
    ) -> Mapping[CardReference, CardJob]:
        """What was kept of these cards; that one of them cannot be read says nothing about the others."""
        try:
            known = self._cards.prepared_several(references)
        except IssuerRefusedError:
            known = {}
        if len(known) == len(references):
            return known
        found: dict[CardReference, CardJob] = {}
        for reference in references:
            try:
                found[reference] = self._cards.job(reference)
            except IssuerRefusedError as error:
                outcomes.append(_refused(reference, error))
        return found

    def _have_signed(
        self,
        prepared: Sequence[_Prepared],
        account: AccountName | None,
        outcomes: list[SigningOutcome],
    ) -> None:
        signing_time = self._clock().replace(microsecond=0)
        requests = [self._request(each, signing_time) for each in prepared]
        try:
            signed: Sequence[bytes | None] = self._signer.sign_many(requests)
        except PkiRefusedError:
            signed = [None] * len(prepared)
        files: dict[CardReference, bytes] = {}
        for each, request, content_info in zip(prepared, requests, signed, strict=True):
            try:
                files[each.card.reference] = self._file(
                    request,
                    self._sign_alone(each, request) if content_info is None else content_info,
                )
            except _REFUSALS as error:
                outcomes.append(_refused(each.card.reference, error))
        kept = self._cards.record_signed_several(
            files, account=account, authorisation=self._authorisation
        )
        for each in prepared:
            if each.card.reference in kept:
                outcomes.append(SigningOutcome(reference=each.card.reference))
            elif each.card.reference in files:
                outcomes.append(_not_bound(each.card.reference))

    def _sign_alone(self, prepared: _Prepared, request: SigningRequest) -> bytes:
        try:
            return self._signer.sign(request)
        except PkiRefusedError as error:
            if error.code != "signing.reference-used" or not prepared.was_prepared:
                raise
            # We were cut off between the signature and our commit. The files are the ones that were kept then,
            # so this is the same card once more, and the signer records that it is.
            return self._signer.sign(replace(request, re_signing_of=_LOST))

    def _request(self, prepared: _Prepared, signing_time: datetime) -> SigningRequest:
        status = prepared.card.status
        return SigningRequest(
            reference=prepared.card.reference,
            file_hashes=self._hashes(prepared.job),
            status_reference=StatusReference(list_id=status.list_id, index=status.index),
            signing_time=signing_time,
        )

    def _file(self, request: SigningRequest, content_info: bytes) -> bytes:
        """EF.SOD, once it is certain that it is what was asked for, and that it fits."""
        _require_signed(content_info, request)
        security_object_file = SecurityObjectFile(content_info=content_info).to_bytes()
        capacity = self._profile.file("EF.SOD").capacity
        if len(security_object_file) > capacity:
            raise IssuerRefusedError(
                f"EF.SOD has {len(security_object_file)} bytes, expected at most {capacity}",
                code="personalisation.file-size",
            )
        return security_object_file

    def _hashes(self, job: CardJob) -> Mapping[int, bytes]:
        return self._signer.hash_algorithm.digests(
            {
                file.data_group: job.contents[file.name]
                for file in self._profile.application_files
                if file.data_group is not None
            }
        )


def _not_bound(reference: CardReference) -> SigningOutcome:
    error = TransitionError("the card is not bound any more, so it cannot be signed")
    return _refused(reference, error)


def _refused(reference: CardReference, error: BuildRefusal) -> SigningOutcome:
    return SigningOutcome(reference=reference, code=error.code, message=str(error))


def _require_signed(content_info: bytes, request: SigningRequest) -> None:
    security_object = SecurityObject.from_bytes(content_info)
    security_object.verify_signature()
    if (
        dict(security_object.file_hashes) != dict(request.file_hashes)
        or security_object.status_reference != request.status_reference
    ):
        raise PkiDataError(
            "the signer signed something else than it was asked for",
            code="security-object.not-as-requested",
        )
