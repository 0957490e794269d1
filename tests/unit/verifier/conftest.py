import time
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from card_layout.profile import CardProfile, load_profile
from pki.certificates.trust import TrustAnchors
from simulators.authority import TestAuthority
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.image import CardImage
from simulators.testing import TEST_CAN, TEST_TIME
from simulators.trust_directory import TEST_POLICY
from verifier.inspection.policy import Policy
from verifier.inspection.portrait_evidence import PortraitOutcome
from verifier.inspection.snapshot import CardSnapshot
from verifier.reading.card_reading import read_card
from verifier.services.card_password import CardPassword


@pytest.fixture(scope="session")
def now() -> datetime:
    return TEST_TIME + timedelta(days=1)


@pytest.fixture(scope="session")
def profile() -> CardProfile:
    return load_profile("membercard-1-icao")


@pytest.fixture(scope="session")
def policy() -> Policy:
    return Policy.from_bytes(TEST_POLICY.encode())


@pytest.fixture(scope="session")
def anchors(test_pki: TestAuthority, now: datetime) -> TrustAnchors:
    return TrustAnchors.from_bytes(
        certificates=(test_pki.root.certificate,), crls=(test_pki.revocation_list(now=now),)
    )


@pytest.fixture(scope="session")
def accepted_snapshot(
    issued_card: CardImage, profile: CardProfile, policy: Policy, now: datetime
) -> CardSnapshot:
    snapshot = read_card(
        SimulatedReader(VirtualCard(issued_card)),
        password=CardPassword.from_can(TEST_CAN),
        profile=profile,
        pace_parameter_ids=policy.pace_parameter_ids,
        now=now,
        monotonic=time.monotonic,
    )
    return replace(snapshot, portrait=PortraitOutcome.DECODED)


@pytest.fixture(scope="session")
def mrz_snapshot(
    issued_card: CardImage, profile: CardProfile, policy: Policy, now: datetime
) -> CardSnapshot:
    information = issued_card.secrets.mrz_information
    assert information is not None
    return read_card(
        SimulatedReader(VirtualCard(issued_card)),
        password=CardPassword.from_mrz(information),
        profile=profile,
        pace_parameter_ids=policy.pace_parameter_ids,
        now=now,
        monotonic=time.monotonic,
    )
