"""docs/cards.md explains every code of cards in their members' hands, and what it says of states and reasons is so."""

import re
from pathlib import Path

import pytest

from issuer.domain.card_validity import REPORTS
from pki.signed.card_states import CardState

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "cards.md").read_text(encoding="utf-8")
SOURCES = (
    "issuer/cli_card_dossier.py",
    "issuer/cli_card_validity.py",
    "issuer/cli_status.py",
    "issuer/db/card_validity.py",
    "issuer/db/status_ledger.py",
    "issuer/domain/card_validity.py",
    "issuer/reference_files.py",
    "issuer/services/card_lifecycle.py",
    "issuer/services/publish_status.py",
    "issuer/services/revoke_references.py",
    "issuer/status_files.py",
)
CODE = re.compile(r'code="([a-z-]+\.[a-z-]+)"')


@pytest.mark.parametrize("source", SOURCES)
def test_every_code_is_explained(source: str) -> None:
    found = set(CODE.findall((ROOT / source).read_text(encoding="utf-8")))
    assert sorted(code for code in found if f"`{code}`" not in PAGE) == []


def test_codes_are_found_at_all() -> None:
    found = {
        code
        for source in SOURCES
        for code in CODE.findall((ROOT / source).read_text(encoding="utf-8"))
    }
    assert {"card.ended", "status.publishing", "references.malformed"} <= found
    assert len(found) > 20


def test_every_state_and_every_reason_is_named() -> None:
    for word in (*(state.label for state in CardState), *REPORTS):
        assert f"`{word}`" in PAGE
