"""The picture of a card that is being made lies in the store of portraits: it stays until nobody needs it any more."""

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest

from issuer.db.production_rows import destroy_secrets, locked_card
from issuer.db.production_tables import CardContentsRow
from issuer.db.signing_rows import keep_prepared
from issuer.domain.card import CardReference
from issuer.domain.card_job import CardJob
from issuer.domain.data_subjects import FileStore, FileToDestroy
from issuer.domain.member import MemberId, PortraitDigest
from issuer.services.destroy_files import DestructionOfFiles
from issuer.services.signing_values import JobToKeep, KeptPicture
from tests.contract.batch_stage import OPERATOR, BatchStage
from tests.contract.requests_stage import COMMUNE, NOW
from tests.contract.test_batches import code_of, stage, template

__all__ = ["stage", "template"]

FIRST = b"\xff\xd8 the first picture \xff\xd9" * 20
SECOND = b"\xff\xd8 the second picture \xff\xd9" * 20
CONTENTS = {"EF.DG1": b"one", "EF.DG2": b"head of the file" + FIRST}


class NoDocuments:
    """A store of evidence of which nothing is asked."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


@dataclass
class OneCard:
    """A member with a portrait, and a card that is bound."""

    stage: BatchStage
    reference: CardReference
    member_id: MemberId

    def give(self, image: bytes) -> None:
        """Another portrait; the one before is doomed in the same transaction, as ``ChangeOfMembers`` does."""
        digest = self.stage.portraits.put(image)
        with self.stage.register.writing() as transaction:
            before = transaction.members.get(self.member_id)
            after = replace(before, portrait=digest, version=before.version + 1)
            transaction.members.change(after, [])
            transaction.subjects.doom(
                FileToDestroy(store=FileStore.PORTRAITS, digest=before.portrait)
            )

    def job(self) -> JobToKeep:
        """The card built with the first picture."""
        [card] = self.stage.cards.to_sign([self.reference])
        assert card.chip_key is not None
        job = CardJob(
            reference=card.reference,
            serial=card.serial,
            profile=card.profile,
            secrets=card.secrets,
            mrz_information="0" * 24,
            contents=CONTENTS,
            chip_key=card.chip_key,
        )
        picture = KeptPicture(digest=digest_of(FIRST), image=FIRST)
        return JobToKeep(job=job, valid_until=date(2036, 11, 22), picture=picture)

    def prepare(self) -> None:
        assert self.stage.cards.prepare_several([self.job()]) == {self.reference}

    @property
    def row(self) -> CardContentsRow:
        with self.stage.database.reading() as session:
            return session.get_one(CardContentsRow, self.reference)

    @property
    def contents(self) -> Mapping[str, bytes]:
        return self.stage.cards.job(self.reference).contents

    def clean_up(self) -> int:
        return DestructionOfFiles(
            register=self.stage.register, portraits=self.stage.portraits, evidence=NoDocuments()
        ).destroy()

    def end(self) -> None:
        """As a hand-over or a condemnation leaves it."""
        with self.stage.database.writing() as session:
            destroy_secrets(session, locked_card(session, self.reference), at=NOW)


def digest_of(image: bytes) -> PortraitDigest:
    return PortraitDigest(hashlib.sha256(image).digest())


@pytest.fixture
def card(stage: BatchStage) -> OneCard:
    batch = stage.filling.create(COMMUNE, stage.decision_id, actor=OPERATOR)
    stage.filling.fill(batch.batch_id, actor=OPERATOR, limit=1)
    stage.freeze(batch)
    [line] = stage.lines(batch)
    assert line.reference is not None
    one = OneCard(stage=stage, reference=line.reference, member_id=line.member_id)
    one.give(FIRST)
    return one


def test_a_picture_is_not_kept_once_more(card: OneCard) -> None:
    card.prepare()
    assert card.row.portrait == digest_of(FIRST)
    assert len(card.row.sealed) < len(FIRST)
    assert card.contents == CONTENTS


def test_a_picture_stays_for_as_long_as_a_card_needs_it(card: OneCard) -> None:
    card.prepare()
    card.give(SECOND)
    assert card.clean_up() == 0
    assert card.contents == CONTENTS
    card.end()
    assert card.row.portrait is None
    assert card.clean_up() == 1
    assert code_of(lambda: card.stage.portraits.get(digest_of(FIRST))) == "portrait.lost"
    assert card.stage.portraits.get(digest_of(SECOND)) == SECOND


def test_a_picture_that_was_replaced_meanwhile_is_kept_with_the_card(card: OneCard) -> None:
    job = card.job()
    card.give(SECOND)
    assert card.clean_up() == 1
    assert card.stage.cards.prepare_several([job]) == {card.reference}
    assert card.row.portrait is None
    assert card.contents == CONTENTS


def test_nobody_replaces_a_picture_while_a_card_with_it_is_being_kept(card: OneCard) -> None:
    job = card.job()
    vault = card.stage.vault
    change = threading.Thread(target=card.give, args=(SECOND,))
    with card.stage.database.writing() as session:
        sealed = vault.seal_contents(job.job, job.picture)
        keep_prepared(session, vault, [(job, sealed)], account=None, at=NOW)
        change.start()
        change.join(0.5)
        assert change.is_alive()
    change.join(20)
    assert not change.is_alive()
    assert card.row.portrait == digest_of(FIRST)
    assert card.clean_up() == 0
    assert card.contents == CONTENTS


def test_a_card_whose_picture_was_lost_is_not_made(card: OneCard) -> None:
    card.prepare()
    card.stage.portraits.remove(digest_of(FIRST))
    assert code_of(lambda: card.contents) == "portrait.lost"


def test_what_was_prepared_before_pictures_were_named_is_read(card: OneCard) -> None:
    assert card.stage.cards.prepare_several([replace(card.job(), picture=None)])
    assert card.row.portrait is None
    card.stage.portraits.remove(digest_of(FIRST))
    assert card.contents == CONTENTS
