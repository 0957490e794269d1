"""Sign bound cards: build every data group, keep what will be signed, have it signed once, keep EF.SOD."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from card_layout.errors import CardDataError
from card_layout.files.security_object_file import SecurityObjectFile
from card_layout.profile import CardProfile
from issuer.domain.card import Card, CardReference, CardState
from issuer.domain.card_files import CardFacts, add_years, build_card_data
from issuer.domain.card_job import CardJob
from issuer.domain.organisation import OrganisationCode
from issuer.errors import IssuerRefusedError
from issuer.services.production_ports import CardLedger, Clock, StationLedger
from issuer.services.register_ports import PortraitStore, Register
from pki.errors import PkiDataError, PkiRefusedError
from pki.services.document_signer import DocumentSigner, SigningRequest
from pki.signed.security_object import SecurityObject, StatusReference

__all__ = ["CARDS_IN_REQUEST", "CardPolicy", "CardSigning", "SigningOutcome"]

CARDS_IN_REQUEST = 100
"""How many cards the signer is asked for at once."""

_REFUSALS = (IssuerRefusedError, PkiRefusedError, CardDataError, PkiDataError)
_LOST = "the issuer was cut off before it kept the first security object"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardPolicy:
    """What is decided for all cards alike."""

    validity_years: int
    personalisation_system: str
    trust_points: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningOutcome:
    """One card: signed where ``code`` is ``None``, else refused for that reason."""

    reference: CardReference
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Committees:
    organisation_name: str
    issuing_committee: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A card whose files are kept; ``was_prepared`` where they were before, so that the signer may know it."""

    card: Card
    job: CardJob
    was_prepared: bool


class CardSigning:
    """The use case; the signer is asked for many cards at once, each is kept in transactions of its own."""

    def __init__(
        self,
        *,
        cards: CardLedger,
        chips: StationLedger,
        register: Register,
        portraits: PortraitStore,
        signer: DocumentSigner,
        profile: CardProfile,
        policy: CardPolicy,
        clock: Clock,
    ) -> None:
        self._cards = cards
        self._chips = chips
        self._register = register
        self._portraits = portraits
        self._signer = signer
        self._profile = profile
        self._policy = policy
        self._clock = clock
        self._committees: dict[OrganisationCode, _Committees] = {}

    def sign_all(self, *, limit: int | None = None) -> Iterator[SigningOutcome]:
        """Every bound card, in the order of binding; a refusal of one does not stop the next.

        Many cards go to the signer in one request. It takes all of them or none: after a refusal each of them is
        asked for by itself, so that only those are left out that are the reason.

        Raises:
            IssuerUnavailableError, KeystoreError, RecordError: nothing can be signed any more.
        """
        cards = self._cards.cards(states=[CardState.BOUND])[:limit]
        for start in range(0, len(cards), CARDS_IN_REQUEST):
            prepared: list[_Prepared] = []
            for card in cards[start : start + CARDS_IN_REQUEST]:
                try:
                    prepared.append(self._prepare(card))
                except _REFUSALS as error:
                    yield _refused(card, error)
            yield from self._sign_together(prepared)

    def sign(self, card: Card) -> None:
        """One card.

        1. Its files are built, unless they were kept before: what the signer may have been asked to sign must
           never change.
        2. They are kept, sealed, before the signer is asked.
        3. The signer records, and signs.
        4. What comes back is read as a verifier reads it, and only then kept.

        Raises:
            IssuerRefusedError, CardDataError: the card's data cannot be made.
            PkiRefusedError: the signer refuses.
            PkiDataError: the signer's answer is not what was asked for.
        """
        self._sign_alone(self._prepare(card))

    def _sign_together(self, prepared: Sequence[_Prepared]) -> Iterator[SigningOutcome]:
        if not prepared:
            return
        requests = [self._request(each) for each in prepared]
        try:
            signed: Sequence[bytes | None] = self._signer.sign_many(requests)
        except PkiRefusedError:
            signed = [None] * len(prepared)
        for each, request, content_info in zip(prepared, requests, signed, strict=True):
            try:
                if content_info is None:
                    self._sign_alone(each)
                else:
                    self._keep(request, content_info)
            except _REFUSALS as error:
                yield _refused(each.card, error)
            else:
                yield SigningOutcome(reference=each.card.reference)

    def _sign_alone(self, prepared: _Prepared) -> None:
        request = self._request(prepared)
        try:
            content_info = self._signer.sign(request)
        except PkiRefusedError as error:
            if error.code != "signing.reference-used" or not prepared.was_prepared:
                raise
            # We were cut off between the signature and our commit. The files are the ones that were kept then,
            # so this is the same card once more, and the signer records that it is.
            content_info = self._signer.sign(replace(request, re_signing_of=_LOST))
        self._keep(request, content_info)

    def _prepare(self, card: Card) -> _Prepared:
        job = self._cards.prepared(card.reference)
        was_prepared = job is not None
        if job is None:
            job = self._build(card)
            self._cards.prepare_signing(job)
        return _Prepared(card=card, job=job, was_prepared=was_prepared)

    def _request(self, prepared: _Prepared) -> SigningRequest:
        status = prepared.card.status
        return SigningRequest(
            reference=prepared.card.reference,
            file_hashes=self._hashes(prepared.job),
            status_reference=StatusReference(list_id=status.list_id, index=status.index),
            signing_time=self._clock().replace(microsecond=0),
        )

    def _keep(self, request: SigningRequest, content_info: bytes) -> None:
        _require_signed(content_info, request)
        security_object_file = SecurityObjectFile(content_info=content_info).to_bytes()
        capacity = self._profile.file("EF.SOD").capacity
        if len(security_object_file) > capacity:
            raise IssuerRefusedError(
                f"EF.SOD has {len(security_object_file)} bytes, expected at most {capacity}",
                code="personalisation.file-size",
            )
        self._cards.record_signed(CardReference(request.reference), security_object_file)

    def _build(self, card: Card) -> CardJob:
        if card.profile != self._profile.name:
            raise IssuerRefusedError(
                f"the card is for profile {card.profile}, got {self._profile.name}",
                code="card.other-profile",
            )
        record = self._chips.find(card.serial)
        if record is None or record.chip.public_key is None:
            raise IssuerRefusedError("the chip's key is not known", code="chip.key-unknown")
        with self._register.reading() as transaction:
            member = transaction.members.get(card.member_id)
            request = transaction.requests.get(card.request_id)
            code = member.statement.organisation_code
            if code not in self._committees:
                self._committees[code] = _Committees(
                    organisation_name=transaction.organisations.get(code).name,
                    issuing_committee=transaction.organisations.issuing_committee(code).name,
                )
        if request.card_number is None:
            raise IssuerRefusedError(
                f"request {request.request_id} is {request.state}, expected a decided one",
                code="request.wrong-state",
            )
        now = self._clock().replace(microsecond=0)
        secrets = self._cards.secrets(card.reference)
        data = build_card_data(
            self._profile,
            CardFacts(
                statement=member.statement,
                kind=request.kind,
                ordinal=request.ordinal,
                card_number=request.card_number,
                organisation_name=self._committees[code].organisation_name,
                issuing_committee=self._committees[code].issuing_committee,
                portrait=self._portraits.get(member.portrait),
                secrets=secrets,
                chip_key=record.chip.public_key,
                valid_from=now.date(),
                valid_until=add_years(now.date(), self._policy.validity_years),
                personalised_at=now,
                personalisation_system=self._policy.personalisation_system,
                trust_points=self._policy.trust_points,
            ),
        )
        return CardJob(
            reference=card.reference,
            serial=card.serial,
            profile=card.profile,
            secrets=secrets,
            mrz_information=data.mrz_information,
            contents=data.contents,
            chip_key=record.chip.public_key,
        )

    def _hashes(self, job: CardJob) -> dict[int, bytes]:
        return {
            file.data_group: self._signer.hash_algorithm.digest(job.contents[file.name])
            for file in self._profile.application_files
            if file.data_group is not None
        }


def _refused(
    card: Card, error: IssuerRefusedError | PkiRefusedError | CardDataError | PkiDataError
) -> SigningOutcome:
    return SigningOutcome(reference=card.reference, code=error.code, message=str(error))


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
