"""The dossier of a card that was made, handed over, lost and ended: all of it, in order, and nothing secret."""

import hashlib
import io
import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pypdfium2
import pytest

from issuer.db.register import SqlRegister
from issuer.domain.card_dossier import CardDossier, DossierRoom
from issuer.domain.card_validity import EndReason
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.errors import IssuerRefusedError
from issuer.papers.card_dossier_pdf import dossier_pdf
from issuer.services.card_dossiers import DossierReading
from issuer.services.card_lifecycle import CardLifecycle
from issuer.services.visit_chip import StationTask, VisitResult
from simulators.authority import TestAuthority
from simulators.issued_image import issue_image
from simulators.population.member import draw_member

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


def person(name: str, *roles: Role) -> Actor:
    return Actor(
        account=AccountName(name),
        assignments=tuple(Assignment(role=role) for role in roles),
        stepped_up_at=NOW,
    )


class Story:
    """One card from its delivery to its end."""

    def __init__(self, workshop: Any) -> None:
        self.database = workshop.database
        self.register = SqlRegister(workshop.database, workshop.sealer)
        workshop.add_members(1)
        workshop.receive(1)
        card = workshop.blank(1)
        for task in (StationTask.INITIALISE, StationTask.PERSONALISE):
            outcome, _ = workshop.visit(card, task)
            assert outcome.result is VisitResult.DONE, outcome
            if task is StationTask.INITIALISE:
                [self.reference] = workshop.bind_and_sign()
        self.secrets = workshop.cards.secrets(self.reference)
        with self.register.writing() as transaction:
            transaction.cards.hand_over(
                self.reference, to="cell secretary", account=AccountName("clerk"), at=NOW
            )
        lifecycle = CardLifecycle(register=self.register, clock=lambda: NOW + timedelta(minutes=1))
        lifecycle.report(
            self.reference, EndReason.LOST, actor=person("clerk", Role.CLERK), remark="mất ở chợ"
        )
        lifecycle.confirm(self.reference, actor=person("decider", Role.DECIDER))

    def dossier(self, actor: Actor | None = None) -> CardDossier:
        reading = DossierReading(register=self.register, clock=lambda: NOW + timedelta(hours=1))
        return reading.read(self.reference, actor=actor or person("clerk", Role.CLERK))


@pytest.fixture
def story(workshop: Any) -> Story:
    return Story(workshop)


def test_everything_that_happened_stands_in_it_in_order(story: Story) -> None:
    dossier = story.dossier()
    assert [event.at for event in dossier.events] == sorted(event.at for event in dossier.events)
    told = [(event.room, event.what) for event in dossier.events]
    production = [what for room, what in told if room is DossierRoom.PRODUCTION]
    assert production[:3] == ["chip-received", "initialisation-begun", "chip-key-recorded"]
    assert production[-3:] == ["issued", "handed-over", "secrets-destroyed"]
    assert [what for room, what in told if room is DossierRoom.REQUEST] == ["decided", "fulfilled"]
    assert [what for room, what in told if room is DossierRoom.VALIDITY] == [
        "handed-over (not-handed-over -> valid)",
        "reported (valid -> suspended)",
        "confirmed (suspended -> lost)",
    ]
    assert [event.account for event in dossier.events[-2:]] == ["clerk", "decider"]


def test_it_tells_where_the_keys_were_made(story: Story) -> None:
    chip = story.dossier().chip
    assert chip.key_origin == "chip-key.made-on-chip"
    assert chip.key_curve is not None
    assert chip.key_digest is not None
    assert chip.delivery == "test"


def test_it_tells_who_signed_where_that_can_be_read(story: Story) -> None:
    found = story.dossier().signature
    assert found is not None
    assert (found.signed_at, found.signer_serial) == (None, None)
    image = issue_image(
        draw_member(Random(9), serial_number=9),
        authority=TestAuthority.create(now=NOW),
        random=Random(9),
        can="314159",
    )
    [file] = [each.data for path, each in image.files.items() if path.endswith("/011D")]
    with story.database.writing() as session:
        session.connection().exec_driver_sql("UPDATE security_objects SET file = ?", (file,))
    signed = story.dossier().signature
    assert signed is not None
    assert signed.signed_at is not None
    assert signed.signer_serial is not None
    assert signed.file_digest == hashlib.sha256(file).digest()


def test_it_holds_nothing_secret_and_says_the_same_in_every_form(story: Story) -> None:
    dossier = story.dossier()
    text = json.dumps(dossier.document())
    pdf = pypdfium2.PdfDocument(io.BytesIO(dossier_pdf(dossier)))
    written = " ".join(page.get_textpage().get_text_bounded() for page in pdf)
    for form in (text, written):
        assert story.secrets.document_number not in form
        assert story.secrets.can not in form
    document = dossier.document()
    assert document["status"]["counts_as"] == "lost"
    assert document["status"]["published_as"] == "not-handed-over"
    for word in (dossier.card.reference.hex(), "chip-key.made-on-chip", "mất ở chợ"):
        assert word in written.replace("\r\n", "").replace("\n", "") or word in written


def test_reading_it_takes_the_right_and_is_recorded(story: Story) -> None:
    with pytest.raises(IssuerRefusedError) as caught:
        story.dossier(person("auditor", Role.AUDITOR))
    assert caught.value.code == "right.missing"
    story.dossier()
    with story.register.reading() as transaction:
        acts = [each.record() for each in transaction.audit.records()]
    assert [each.action for each in acts if each.action == "card.dossier-read"] == [
        "card.dossier-read"
    ]
