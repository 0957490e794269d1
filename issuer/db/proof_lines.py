"""The lines of proofs in the database: what will stand on each card, read without the rest of the member."""

import hashlib
import struct
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.batch_filling import MAY_HAVE_CARD
from issuer.db.batch_tables import BatchRequestRow
from issuer.db.bulk import bulk_update
from issuer.db.key_sets import among, in_parts
from issuer.db.member_rows import MemberRow
from issuer.db.member_seals import MemberSeals, SealedColumn
from issuer.db.organisation_rows import OrganisationRow
from issuer.db.production_tables import CardRow
from issuer.db.request_tables import RequestRow
from issuer.domain.batch import BatchId
from issuer.domain.batch_proof import PersonOnCard, ProofLine
from issuer.domain.card import CardReference
from issuer.domain.card_number import CardNumber
from issuer.domain.member import MemberId, PortraitDigest, Sex, Standing
from issuer.domain.organisation import OrganisationCode
from issuer.domain.record_number import CitizenNumber, RecordNumber
from issuer.domain.requests import RequestId, RequestKind, RequestState
from issuer.services.proof_ports import CardDue, NamesOf, PersonOfCard

__all__ = ["SqlProofRepository"]

_RECORD_PREFIX: Final = b"membercard stored proof record v1\x00"
_SEXES: Final = {each.value: each for each in Sex}
_KINDS: Final = {each.value: each for each in RequestKind}
_STATES: Final = {each.value: each for each in RequestState}
_STANDINGS: Final = {each.value: each for each in Standing}

_RECORD: Final[tuple[sa.SQLColumnExpression[Any], ...]] = (
    RequestRow.id,
    MemberRow.id,
    RequestRow.kind,
    RequestRow.ordinal,
    RequestRow.card_number,
    MemberRow.record_number,
    MemberRow.citizen_number,
    MemberRow.full_name,
    MemberRow.primary_name,
    MemberRow.secondary_name,
    MemberRow.birth_date,
    MemberRow.sex,
    MemberRow.place_of_birth,
    MemberRow.home_town,
    MemberRow.ethnic_group,
    MemberRow.admission_date,
    MemberRow.recognition_date,
    OrganisationRow.code,
    MemberRow.portrait,
)
"""All that a line is made of but the names of committees."""

_ORDINAL: Final = 3
_CARD_NUMBER: Final = 4
_ORGANISATION: Final = 17
_OCTETS: Final = itemgetter(6, 12, 13, 18)
"""What is sealed, and the digest of the portrait; the others are texts, or written as ones."""

_SEALED: Final = (
    SealedColumn.CITIZEN_NUMBER,
    SealedColumn.PLACE_OF_BIRTH,
    SealedColumn.HOME_TOWN,
)
_TEXTS: Final = itemgetter(*sorted({*range(len(_RECORD))} - {6, 12, 13, 18}))
_LENGTHS: Final = struct.Struct(f">{len(_RECORD) + 2}I")


class SqlProofRepository:
    """Implements ``ProofRepository`` within one session."""

    def __init__(self, session: Session, seals: Callable[[], MemberSeals]) -> None:
        """``seals`` is asked when the first member is opened, and not before."""
        self._session = session
        self._seals = seals

    def cards_due(self, batch_id: BatchId, names: NamesOf) -> tuple[CardDue, ...]:
        """See ``ProofRepository.cards_due``."""
        record = _StoredRecords(self._session, self._seals, names)
        kept = (BatchRequestRow.line_digest, BatchRequestRow.record_digest)
        rows = self._session.connection().execute(
            _due(batch_id, *kept).with_for_update(of=RequestRow)
        )
        cards: list[CardDue] = []
        for *values, line_digest, record_digest in rows:
            found = record.digest(values)
            is_kept = line_digest is not None and record_digest == found
            cards.append(
                CardDue(
                    request_id=record.request_id(values),
                    member_id=record.member_id(values),
                    ordinal=values[_ORDINAL],
                    line_digest=line_digest if is_kept else record.line(values).digest,
                    record_digest=found,
                )
            )
        return tuple(cards)

    def keep(self, batch_id: BatchId, cards: Sequence[CardDue]) -> None:
        """See ``ProofRepository.keep``."""
        bulk_update(
            self._session,
            BatchRequestRow,
            [
                {
                    "position": place,
                    "line_digest": card.line_digest,
                    "record_digest": card.record_digest,
                    "batch_id": batch_id,
                    "request_id": card.request_id,
                }
                for place, card in enumerate(cards, start=1)
            ],
            keys=("batch_id", "request_id"),
        )

    def part(
        self, batch_id: BatchId, names: NamesOf, *, first: int, count: int
    ) -> tuple[tuple[MemberId, ProofLine], ...]:
        """See ``ProofRepository.part``."""
        record = _StoredRecords(self._session, self._seals, names)
        rows = self._session.connection().execute(_due(batch_id).offset(first - 1).limit(count))
        return tuple((record.member_id(values), record.line(values)) for values in rows)

    def of_cards(
        self, references: Sequence[CardReference], names: NamesOf
    ) -> Mapping[CardReference, PersonOfCard]:
        """See ``ProofRepository.of_cards``."""
        record = _StoredRecords(self._session, self._seals, names)
        found: dict[CardReference, PersonOfCard] = {}
        for part in in_parts(references):
            rows = self._session.connection().execute(_of_cards(part))
            for (
                *values,
                reference,
                state,
                standing,
                is_in_batch,
                line_digest,
                record_digest,
            ) in rows:
                line = None if values[_CARD_NUMBER] is None else record.line(values)
                found[CardReference(reference)] = PersonOfCard(
                    state=_STATES[state],
                    standing=_STANDINGS[standing],
                    line=line,
                    # Where the record is stored as it was, byte for byte, its line is.
                    differs_from_proof=is_in_batch
                    and line is not None
                    and record.digest(values) != record_digest
                    and line.digest != line_digest,
                )
        return found


class _StoredRecords:
    """Rows of ``_RECORD`` as the driver gives them: what is digested as it is stored is opened only where it must be."""

    def __init__(self, session: Session, seals: Callable[[], MemberSeals], names: NamesOf) -> None:
        dialect = session.connection().dialect
        self._seals = seals
        self._names = names
        self._uuid = _reader(RequestRow.id.type, dialect)
        self._date = _reader(MemberRow.birth_date.type, dialect)

    @cached_property
    def _openers(self) -> tuple[Callable[[bytes, bytes], str], ...]:
        """For what is sealed of a record, in the order of its columns."""
        seals = self._seals()
        return tuple(map(seals.opener, _SEALED))

    def request_id(self, values: Sequence[Any]) -> RequestId:
        return RequestId(self._uuid(values[0]))

    def member_id(self, values: Sequence[Any]) -> MemberId:
        return MemberId(self._uuid(values[1]))

    def digest(self, values: Sequence[Any]) -> bytes:
        """Of the record as it is stored; no two have the same, because the lengths of all values stand before them."""
        names = self._names(OrganisationCode(values[_ORGANISATION]))
        texts = (*map(str, _TEXTS(values)), names.organisation_name, names.issuing_committee)
        octets = _OCTETS(values)
        lengths = _LENGTHS.pack(*map(len, texts), *map(len, octets))
        stored = b"".join((_RECORD_PREFIX, lengths, "".join(texts).encode(), *octets))
        return hashlib.sha256(stored).digest()

    def line(self, values: Sequence[Any]) -> ProofLine:
        """The record opened.

        Raises:
            IssuerUnavailableError: ``register.seal-broken``.
            IssuerDataError: ``organisation.unknown``.
        """
        (
            _,
            member_id,
            kind,
            ordinal,
            card_number,
            record_number,
            citizen_number,
            full_name,
            primary_name,
            secondary_name,
            birth_date,
            sex,
            place_of_birth,
            home_town,
            ethnic_group,
            admission_date,
            recognition_date,
            organisation_code,
            portrait,
        ) = values
        key = _key_bytes(member_id)
        open_citizen_number, open_place_of_birth, open_home_town = self._openers
        names = self._names(OrganisationCode(organisation_code))
        return ProofLine(
            request_id=self.request_id(values),
            card_number=CardNumber(card_number),
            kind=_KINDS[kind],
            ordinal=ordinal,
            person=PersonOnCard(
                record_number=RecordNumber(record_number),
                citizen_number=CitizenNumber(open_citizen_number(citizen_number, key)),
                full_name=full_name,
                primary_name=primary_name,
                secondary_name=secondary_name,
                birth_date=self._date(birth_date),
                sex=_SEXES[sex],
                place_of_birth=open_place_of_birth(place_of_birth, key),
                home_town=open_home_town(home_town, key),
                ethnic_group=ethnic_group,
                admission_date=self._date(admission_date),
                recognition_date=self._date(recognition_date),
                organisation_code=OrganisationCode(organisation_code),
            ),
            portrait=PortraitDigest(portrait),
            organisation_name=names.organisation_name,
            issuing_committee=names.issuing_committee,
        )


def _reader(kind: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> Callable[[Any], Any]:
    """Makes a value of what the driver gives for a column."""
    read: Callable[[Any], Any] | None = kind.dialect_impl(dialect).result_processor(dialect, None)
    return _as_it_is if read is None else read


def _key_bytes(stored: uuid.UUID | str) -> bytes:
    """A key as the register's seals name a row; SQLite keeps it as a text of hexadecimal digits."""
    return bytes.fromhex(stored) if isinstance(stored, str) else stored.bytes


def _as_it_is(value: Any) -> Any:
    return value


def _stored(columns: Sequence[sa.SQLColumnExpression[Any]]) -> list[sa.ColumnElement[Any]]:
    return [sa.type_coerce(column, sa.types.NullType()) for column in columns]


def _due(batch_id: BatchId, *further: sa.SQLColumnExpression[Any]) -> sa.Select[Any]:
    """What is to be made of a batch, in the register's order."""
    return (
        sa.select(*_stored(_RECORD), *further)
        .select_from(BatchRequestRow)
        .join(RequestRow, RequestRow.id == BatchRequestRow.request_id)
        .join(MemberRow, MemberRow.id == RequestRow.member_id)
        .join(OrganisationRow, OrganisationRow.id == MemberRow.organisation_id)
        .where(
            BatchRequestRow.batch_id == batch_id,
            MAY_HAVE_CARD,
            # A decided request has a number: the database sees to it.
            RequestRow.card_number.is_not(None),
        )
        .order_by(MemberRow.sort_key, MemberRow.id)
    )


def _of_cards(references: Sequence[CardReference]) -> sa.Select[Any]:
    return (
        sa.select(
            *_stored(_RECORD),
            CardRow.reference,
            RequestRow.state,
            MemberRow.standing,
            CardRow.batch_id.is_not(None),
            BatchRequestRow.line_digest,
            BatchRequestRow.record_digest,
        )
        .select_from(CardRow)
        .join(RequestRow, RequestRow.id == CardRow.request_id)
        .join(MemberRow, MemberRow.id == CardRow.member_id)
        .join(OrganisationRow, OrganisationRow.id == MemberRow.organisation_id)
        .outerjoin(
            BatchRequestRow,
            (BatchRequestRow.batch_id == CardRow.batch_id)
            & (BatchRequestRow.request_id == CardRow.request_id),
        )
        # A deleted record keeps its row for what hangs on it, and is no member's any more.
        .where(among(CardRow.reference, references), MemberRow.erased_at.is_(None))
    )
