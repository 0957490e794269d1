"""A pytest plugin: fixtures with a test PKI and virtual cards, for tests of everything that meets a card.

Installing ``membercard-simulators`` is enough: pytest finds the plugin by its entry point
(docs/testing-your-application.md).
"""

from datetime import UTC, datetime
from random import Random

import pytest

from simulators.authority import TestAuthority
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.image import CardImage
from simulators.issued_image import issue_image
from simulators.population.member import SyntheticMember, draw_member

__all__ = [
    "TEST_CAN",
    "TEST_TIME",
    "issued_card",
    "synthetic_member",
    "test_pki",
    "virtual_card",
    "virtual_reader",
]

TEST_TIME = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)
"""When the fixtures' authority and card were made: pass it, or a time soon after, as *now*."""

TEST_CAN = "314159"
"""The CAN of the fixtures' card."""


@pytest.fixture(scope="session")
def test_pki() -> TestAuthority:
    """A CSCA with a current, an expired and a revoked document signer."""
    return TestAuthority.create(now=TEST_TIME)


@pytest.fixture(scope="session")
def synthetic_member() -> SyntheticMember:
    """Somebody who does not exist."""
    return draw_member(Random(1), serial_number=1)


@pytest.fixture(scope="session")
def issued_card(test_pki: TestAuthority, synthetic_member: SyntheticMember) -> CardImage:
    """The image of an operational card of ``test_pki`` that opens with TEST_CAN; images never change."""
    return issue_image(synthetic_member, authority=test_pki, random=Random(1), can=TEST_CAN)


@pytest.fixture
def virtual_card(issued_card: CardImage) -> VirtualCard:
    """A chip of its own for each test, with the memory of ``issued_card``."""
    return VirtualCard(issued_card)


@pytest.fixture
def virtual_reader(virtual_card: VirtualCard) -> SimulatedReader:
    """A reader in which ``virtual_card`` lies."""
    return SimulatedReader(virtual_card)
