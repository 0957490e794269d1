"""The terminal's own order of what a chip offers, and the notes of whatever was not the first choice (SPEC.md, 5.12 and 9.24)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_layout.curves import NamedCurve
from card_layout.files.security_infos import PaceInfo
from card_layout.protocols.algorithms import PaceMapping, SessionCipher
from pki.certificates.trust import TrustAnchors
from verifier.inspection.access_checks import usable_pace_infos
from verifier.inspection.checks import CheckName
from verifier.inspection.policy import Policy, Purpose
from verifier.inspection.report import Report, Verdict, inspect
from verifier.inspection.snapshot import CardSnapshot, ChipEvidence, ChipOutcome

EVERY_DOMAIN = frozenset(range(32))
INFOS = st.builds(
    PaceInfo,
    protocol=st.builds(
        "0.4.0.127.0.7.2.2.4.{}.{}".format,
        st.sampled_from([1, 2, 3, 4, 6]),
        st.sampled_from([1, 2, 3, 4]),
    ),
    version=st.sampled_from([1, 2]),
    parameter_id=st.sampled_from([None, 0, 2, 10, 12, 13, 15, 16, 17, 18, 31]),
)


def offer(mapping: PaceMapping, cipher: SessionCipher, curve: NamedCurve) -> PaceInfo:
    return PaceInfo(
        protocol=f"0.4.0.127.0.7.2.2.4.{mapping.value}.{cipher.arc}",
        parameter_id=curve.pace_parameter_id,
    )


@given(infos=st.lists(INFOS, unique=True, max_size=16), data=st.data())
def test_the_order_on_the_card_counts_for_nothing(
    infos: list[PaceInfo], data: st.DataObject
) -> None:
    turned = data.draw(st.permutations(infos))
    assert usable_pace_infos(turned, EVERY_DOMAIN) == usable_pace_infos(infos, EVERY_DOMAIN)


@given(
    infos=st.lists(INFOS, unique=True, min_size=1, max_size=16),
    allowed=st.frozensets(st.integers(0, 31)),
)
def test_nothing_is_taken_that_policy_does_not_allow_and_more_offers_only_make_it_better(
    infos: list[PaceInfo], allowed: frozenset[int]
) -> None:
    usable = usable_pace_infos(infos, allowed)
    assert {info.parameter_id for info in usable} <= allowed
    fewer = usable_pace_infos(infos[1:], allowed)
    if fewer:
        assert usable.index(fewer[0]) in (0, 1)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (
            (PaceMapping.CHIP_AUTHENTICATION, SessionCipher.AES_128, NamedCurve.SECP256R1),
            (PaceMapping.GENERIC, SessionCipher.AES_256, NamedCurve.SECP521R1),
        ),
        (
            (PaceMapping.GENERIC, SessionCipher.AES_256, NamedCurve.SECP256R1),
            (PaceMapping.GENERIC, SessionCipher.AES_128, NamedCurve.SECP521R1),
        ),
        (
            (PaceMapping.INTEGRATED, SessionCipher.AES_128, NamedCurve.BRAINPOOLP512R1),
            (PaceMapping.GENERIC, SessionCipher.AES_128, NamedCurve.SECP384R1),
        ),
        (
            (PaceMapping.GENERIC, SessionCipher.AES_128, NamedCurve.SECP256R1),
            (PaceMapping.GENERIC, SessionCipher.AES_128, NamedCurve.BRAINPOOLP256R1),
        ),
    ],
    ids=["a proof of the chip", "the longer key", "the larger curve", "the smaller number"],
)
def test_the_stronger_offer_is_taken(
    better: tuple[PaceMapping, SessionCipher, NamedCurve],
    worse: tuple[PaceMapping, SessionCipher, NamedCurve],
) -> None:
    found = usable_pace_infos([offer(*worse), offer(*better)], EVERY_DOMAIN)
    assert found == (offer(*better), offer(*worse))


@pytest.fixture
def judge(
    anchors: TrustAnchors, policy: Policy, now: datetime
) -> Callable[[CardSnapshot, frozenset[CheckName]], Report]:
    def judged(snapshot: CardSnapshot, without: frozenset[CheckName]) -> Report:
        purpose = Purpose(name="less", required_checks=policy.required_checks() - without)
        rules = replace(policy, purposes={"less": purpose}, default_purpose="less")
        return inspect(snapshot, trust=anchors, policy=rules, now=now)

    return judged


def test_what_the_reading_did_otherwise_is_noted_and_an_unknown_code_is_not_lost(
    accepted_snapshot: CardSnapshot,
    judge: Callable[[CardSnapshot, frozenset[CheckName]], Report],
) -> None:
    told = replace(
        accepted_snapshot,
        fallbacks=("chip-authentication.fallback", "reading.from-another-version"),
    )
    report = judge(told, frozenset())
    assert report.verdict is Verdict.ACCEPTED
    assert report.notes == ("chip-authentication.fallback", "card.malformed")


def test_a_check_that_nobody_required_and_that_did_not_pass_is_noted(
    accepted_snapshot: CardSnapshot,
    judge: Callable[[CardSnapshot, frozenset[CheckName]], Report],
) -> None:
    copied = replace(accepted_snapshot, chip=ChipEvidence(outcome=ChipOutcome.FAILED))
    report = judge(copied, frozenset({CheckName.CHIP_AUTHENTICATION}))
    assert (report.verdict, report.notes) == (Verdict.ACCEPTED, ("chip.not-proven",))
    report = judge(copied, frozenset())
    assert (report.verdict, report.codes, report.notes) == (
        Verdict.REFUSED,
        ("chip.not-proven",),
        (),
    )


def test_a_genuine_card_has_nothing_to_note(
    accepted_snapshot: CardSnapshot,
    judge: Callable[[CardSnapshot, frozenset[CheckName]], Report],
) -> None:
    assert judge(accepted_snapshot, frozenset()).notes == ()
