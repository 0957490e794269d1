"""Signing many cards at once: what is known of each, what is kept before the signer is asked, and what it gave."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.base import unindexed
from issuer.db.bulk import bulk_insert
from issuer.db.card_seals import open_secrets
from issuer.db.card_vault import CardVault
from issuer.db.key_sets import among, in_parts
from issuer.db.member_rows import MemberRow
from issuer.db.production_rows import chip_key_of
from issuer.db.production_tables import (
    CardContentsRow,
    CardEventRow,
    CardRow,
    ChipRow,
    SecurityObjectRow,
)
from issuer.db.request_tables import BatchAuthorisationRow
from issuer.db.sealing import Sealer
from issuer.domain.card import CardEvent, CardReference, CardState, next_card_state
from issuer.domain.card_job import CardJob
from issuer.domain.chip import Serial
from issuer.domain.status_allotment import StatusIndex
from issuer.errors import IssuerRefusedError
from issuer.services.signing_values import CardToSign, JobToKeep

__all__ = ["cards_to_sign", "jobs_of", "keep_prepared", "keep_signed"]

_PORTRAITS = sa.select(CardRow.reference, MemberRow.portrait).join(
    MemberRow, MemberRow.id == CardRow.member_id
)
_PREPARED = sa.select(CardRow.reference, CardRow.serial).join(
    CardContentsRow, CardContentsRow.reference == CardRow.reference
)


def cards_to_sign(
    session: Session, sealer: Sealer, references: Sequence[CardReference]
) -> tuple[CardToSign, ...]:
    """Those of these cards that are *bound*, in the same order."""
    found = {
        reference: CardToSign(
            reference=CardReference(reference),
            serial=Serial(serial),
            profile=profile,
            status=StatusIndex(list_id=status_list, index=status_index),
            secrets=open_secrets(sealer, sealed, reference),
            chip_key=chip_key_of(curve, point),
            is_prepared=is_prepared,
        )
        for part in in_parts(references)
        for (
            reference,
            serial,
            profile,
            status_list,
            status_index,
            sealed,
            curve,
            point,
            is_prepared,
        ) in session.connection().execute(
            sa.select(
                CardRow.reference,
                CardRow.serial,
                CardRow.profile,
                CardRow.status_list,
                CardRow.status_index,
                CardRow.sealed_secrets,
                ChipRow.key_curve,
                ChipRow.key_point,
                sa.exists().where(CardContentsRow.reference == CardRow.reference),
            )
            .join(ChipRow, ChipRow.serial == CardRow.serial)
            .where(among(CardRow.reference, part), _is_in(CardState.BOUND))
        )
    }
    return tuple(found[reference] for reference in references if reference in found)


def jobs_of(
    session: Session, vault: CardVault, references: Sequence[CardReference]
) -> dict[CardReference, CardJob]:
    """What is to be written to those of these cards that were prepared; EF.SOD is among it once it is signed."""
    return {
        CardReference(card.reference): _job(vault, card, contents, chip, security_object_file)
        for part in in_parts(references)
        for card, contents, chip, security_object_file in session.execute(
            sa.select(CardRow, CardContentsRow, ChipRow, SecurityObjectRow.file)
            .join(CardContentsRow, CardContentsRow.reference == CardRow.reference)
            .join(ChipRow, ChipRow.serial == CardRow.serial)
            .outerjoin(SecurityObjectRow, SecurityObjectRow.reference == CardRow.reference)
            .where(among(CardRow.reference, part), ChipRow.key_point.is_not(None))
        )
    }


def keep_prepared(
    session: Session,
    vault: CardVault,
    jobs: Sequence[tuple[JobToKeep, bytes]],
    *,
    account: str | None,
    at: datetime,
) -> frozenset[CardReference]:
    """Keep the files, sealed, of those of these cards that are *bound*; which they are.

    A picture that is not its member's portrait any more may be destroyed at this moment: it is kept with the card.
    """
    references = [each.job.reference for each, _ in jobs]
    _lock_members(session, references)
    portraits: dict[bytes, bytes] = dict(_locked(session, references, _PORTRAITS))
    kept = [(each, sealed) for each, sealed in jobs if each.job.reference in portraits]
    days = {each.job.reference: each.valid_until for each, _ in kept}
    for day in sorted(set(days.values())):
        for part in in_parts([reference for reference, until in days.items() if until == day]):
            session.connection().execute(
                sa.update(CardRow).where(among(CardRow.reference, part)).values(valid_until=day)
            )
    bulk_insert(
        session,
        CardContentsRow,
        [_row(vault, each, sealed, portraits[each.job.reference], at) for each, sealed in kept],
    )
    _journal(
        session,
        "signing-prepared",
        [(each.job.reference, each.job.serial) for each, _ in kept],
        account=account,
        at=at,
    )
    return frozenset(days)


def keep_signed(
    session: Session,
    files: Mapping[CardReference, bytes],
    *,
    account: str | None,
    authorisation: bytes | None,
    at: datetime,
) -> frozenset[CardReference]:
    """Keep EF.SOD of those of these cards that are *bound* and prepared; which they are.

    ``authorisation`` is the digest of the authorisation that they were signed under, against which they count.
    """
    kept = [
        (CardReference(reference), Serial(serial))
        for reference, serial in _locked(session, list(files), _PREPARED)
    ]
    if not kept:
        return frozenset()
    bulk_insert(
        session,
        SecurityObjectRow,
        [{"reference": reference, "file": files[reference]} for reference, _ in kept],
    )
    connection = session.connection()
    after = next_card_state(CardState.BOUND, CardEvent.SIGNED).value
    for part in in_parts([reference for reference, _ in kept]):
        connection.execute(
            sa.update(CardRow).where(among(CardRow.reference, part)).values(state=after)
        )
    if authorisation is not None:
        connection.execute(
            sa.update(BatchAuthorisationRow)
            .where(BatchAuthorisationRow.digest == authorisation)
            .values(signed=BatchAuthorisationRow.signed + len(kept))
        )
    _journal(session, CardEvent.SIGNED.value, kept, account=account, at=at)
    return frozenset(reference for reference, _ in kept)


def _row(
    vault: CardVault, kept: JobToKeep, sealed: bytes, portrait: bytes, at: datetime
) -> dict[str, object]:
    digest = None if kept.picture is None else kept.picture.digest
    is_in_store = digest == portrait
    return {
        "reference": kept.job.reference,
        "sealed": sealed if digest is None or is_in_store else vault.seal_contents(kept.job),
        "portrait": digest if is_in_store else None,
        "prepared_at": at,
    }


def _lock_members(session: Session, references: Sequence[CardReference]) -> None:
    """Nobody gives the members of these cards other portraits until the cards are kept.

    Members are locked before their cards, as whoever changes a member does. On SQLite whoever writes is alone.
    """
    if session.get_bind().dialect.name == "sqlite":
        return
    for part in in_parts(sorted(references)):
        session.connection().execute(
            sa.select(MemberRow.id)
            .join(CardRow, CardRow.member_id == MemberRow.id)
            .where(among(CardRow.reference, part))
            .order_by(MemberRow.id)
            .with_for_update(read=True, of=MemberRow)
        ).all()


def _locked(
    session: Session, references: Sequence[CardReference], query: sa.Select[bytes, bytes]
) -> Iterator[tuple[bytes, bytes]]:
    """The rows of a query over those of these cards that are *bound*; the cards are locked, by reference."""
    for part in in_parts(sorted(references)):
        yield from session.connection().execute(
            query.where(among(CardRow.reference, part), _is_in(CardState.BOUND))
            .order_by(CardRow.reference)
            .with_for_update(of=CardRow)
        )


def _journal(
    session: Session,
    kind: str,
    cards: Sequence[tuple[CardReference, Serial]],
    *,
    account: str | None,
    at: datetime,
) -> None:
    bulk_insert(
        session,
        CardEventRow,
        [
            {"at": at, "kind": kind, "serial": serial, "reference": reference, "account": account}
            for reference, serial in cards
        ],
    )


def _job(
    vault: CardVault,
    card: CardRow,
    stored: CardContentsRow,
    chip: ChipRow,
    security_object_file: bytes | None,
) -> CardJob:
    # First of all: where the secrets were destroyed, the contents were, too.
    secrets = open_secrets(vault.sealer, card.sealed_secrets, card.reference)
    try:
        contents = vault.open_contents(stored.sealed, CardReference(card.reference))
    except IssuerRefusedError as error:
        serial = card.serial.hex().upper()
        raise IssuerRefusedError(
            f"the card of chip {serial} cannot be made: {error}",
            code=error.code,
            hint="bring the store of portraits back from a backup, or have another card made: "
            f"membercard-issuer stock condemn {serial} --reason ...",
        ) from error
    files = dict(contents.files)
    if security_object_file is not None:
        files["EF.SOD"] = security_object_file
    chip_key = chip_key_of(chip.key_curve, chip.key_point)
    if chip_key is None:
        raise ValueError("the chip of a prepared card has no key")
    return CardJob(
        reference=CardReference(card.reference),
        serial=Serial(card.serial),
        profile=card.profile,
        secrets=secrets,
        mrz_information=contents.mrz_information,
        contents=files,
        chip_key=chip_key,
    )


def _is_in(state: CardState) -> sa.ColumnElement[bool]:
    # The cards are named one by one; of one state there may be a country's.
    return unindexed(CardRow.state.expression) == state.value
