"""Seeds of what terminals and the central service send each other, and what is kept of refused cards."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from tests.unit.verifier.terminal_hierarchy import Hierarchy
from verifier.inspection.report import Assurance, Verdict
from verifier.inspection.snapshot import CardSnapshot
from verifier.services.card_pseudonym import PseudonymKey
from verifier.services.journal_chain import (
    JournalLine,
    StoredHolder,
    StoredInspection,
    first_head,
)
from verifier.services.journal_page import JournalPage
from verifier.services.request_signing import sign_request
from verifier.services.terminal_state import HolderAnswer
from verifier.trust.bundle_index import BundleIndex, PublishedFile
from verifier.trust.refused_cards import RefusedCard

__all__ = ["seeds_of_centre"]

_NOW: Final = datetime(2026, 11, 22, 8, tzinfo=UTC)
_COMMANDS: Final = """\
{"cmd":"GET_INFO"}
{"cmd":"GET_READER_LIST"}
{"cmd":"RUN_INSPECTION"}
{"cmd":"SET_CAN","value":"314159"}
{"cmd":"SET_MRZ","value":"ABCDEFGH1/700101/311231"}
{"cmd":"SET_HOLDER","answer":"compared-yes"}
{"cmd":"CANCEL"}
"""
_TERMINAL: Final = "terminal-5d0c61a9f0b7e2d4"


def seeds_of_centre() -> Iterator[tuple[str, bytes]]:
    """Each with the name of its target."""
    file = PublishedFile.of("7-0011223344556677.bundle", b"a bundle")
    delta = PublishedFile.of("6-7-0011223344556677.delta", b"a delta")
    yield "bundle-index", BundleIndex(number=7, bundle=file, deltas={"0" * 64: delta}).to_bytes()
    yield "journal-page", _page().to_bytes()
    yield "request-signature", _signed_headers()
    yield "program-messages", _COMMANDS.encode()
    snapshot = CardSnapshot(profile="membercard-1", read_at=_NOW, atr=None, files={})
    yield (
        "refused-card",
        RefusedCard(
            judged_at=_NOW,
            purpose="identity",
            bundle="0" * 64,
            report={"verdict": "refused", "codes": ["card.expired"]},
            snapshot=snapshot,
        ).to_bytes(),
    )


def _page() -> JournalPage:
    key = PseudonymKey.from_secret(bytes(range(32)))
    head = first_head(_TERMINAL)
    inspection = StoredInspection(
        at=_NOW,
        terminal=_TERMINAL,
        purpose="identity",
        verdict=Verdict.REFUSED,
        assurance=Assurance.DATA,
        codes=("status.lost",),
        notes=("trust.aging",),
        card=key.pseudonym(b"card"),
        chip=None,
    )
    answer = StoredHolder(at=_NOW, terminal=_TERMINAL, inspection=1, answer=HolderAnswer.NO)
    first = JournalLine.after(head, inspection)
    second = JournalLine.after(first.head, answer)
    return JournalPage(begin=head, dropped=0, release=key.release, bodies=(first.body, second.body))


def _signed_headers() -> bytes:
    hierarchy = Hierarchy(day=_NOW.date())
    chain = (hierarchy.office(), hierarchy.terminal())
    headers = sign_request(
        hierarchy.credentials(hierarchy.root(), *chain),
        chain=chain,
        method="GET",
        target="https://centre.example/v1/health",
        body=b"",
        now=_NOW,
    )
    return json.dumps(headers).encode()
