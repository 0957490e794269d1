"""What many cards have in common is taken apart once: no card's report depends on the cards before it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_layout.errors import CardDataError
from pki.certificates.trust import TrustAnchors
from verifier.inspection import access_checks, procedure, shared_parts
from verifier.inspection.checks import CheckState
from verifier.inspection.policy import Policy
from verifier.inspection.report import inspect
from verifier.inspection.snapshot import AccessEvidence, AccessPath, CardSnapshot, FileOutcome


class KeptPart(Protocol):
    """A function with a cache."""

    def __call__(self, content: bytes, /) -> object: ...

    def cache_clear(self) -> None: ...

    def cache_info(self) -> Any: ...


PARTS: tuple[KeptPart, ...] = (
    shared_parts.life_cycle,
    shared_parts.announces_extended_lengths,
    shared_parts.atr_info,
    shared_parts.card_access,
    shared_parts.infos_beside_pace,
    shared_parts.pace_info,
    shared_parts.common_data,
    shared_parts.named_groups,
    shared_parts.trust_points,
)
CACHES = (*PARTS, access_checks._allowed, procedure._kept)
FILES = ("EF.CardAccess", "EF.ATR/INFO", "EF.COM", "EF.CVCA", "EF.DG1", "EF.DG14", "EF.SOD")


def forget() -> None:
    for cache in CACHES:
        cache.cache_clear()


@st.composite
def changes(draw: st.DrawFn) -> Callable[[CardSnapshot], CardSnapshot]:
    """Another card: a bit of a file, of the answer to reset or of the way in is another."""
    what = draw(st.sampled_from([*FILES, "atr", "pace_info", "path"]))
    place, bits = draw(st.integers(0, 2000)), draw(st.sampled_from([0, 1, 0x80]))

    def flipped(content: bytes | None) -> bytes | None:
        if not content:
            return content
        index = place % len(content)
        return content[:index] + bytes((content[index] ^ bits,)) + content[index + 1 :]

    def change(snapshot: CardSnapshot) -> CardSnapshot:
        if what == "atr":
            return replace(snapshot, atr=flipped(snapshot.atr))
        if what == "pace_info":
            access = replace(snapshot.access, pace_info=flipped(snapshot.access.pace_info))
            return replace(snapshot, access=access)
        if what == "path":
            access = AccessEvidence(path=AccessPath.BAC, outcome=snapshot.access.outcome)
            return replace(snapshot, access=access)
        evidence = snapshot.files.get(what)
        if evidence is None or evidence.outcome is not FileOutcome.READ:
            return snapshot
        changed = replace(evidence, content=flipped(evidence.content))
        return replace(snapshot, files={**snapshot.files, what: changed})

    return change


@given(stream=st.lists(changes(), min_size=1, max_size=4))
def test_a_report_is_the_same_whichever_cards_were_judged_before(
    accepted_snapshot: CardSnapshot,
    anchors: TrustAnchors,
    policy: Policy,
    now: datetime,
    stream: list[Callable[[CardSnapshot], CardSnapshot]],
) -> None:
    cards = [accepted_snapshot, *(change(accepted_snapshot) for change in stream)]

    def judge(card: CardSnapshot) -> object:
        return inspect(card, trust=anchors, policy=policy, now=now).to_json(show_unverified=True)

    in_a_row = [judge(card) for card in (*cards, *cards)]
    alone = []
    for card in cards:
        forget()
        alone.append(judge(card))
    assert in_a_row == [*alone, *alone]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_nothing_is_kept_of_what_was_refused_and_little_of_the_rest(
    part: KeptPart,
) -> None:
    part.cache_clear()
    for number in range(300):
        with pytest.raises(CardDataError):
            part(b"\xff" + number.to_bytes(2, "big"))
    info = part.cache_info()
    assert info.currsize == 0
    assert info.maxsize == 64


def test_sentences_are_kept_within_bounds() -> None:
    step = procedure.PROCEDURE[0]
    for number in range(1000):
        assert procedure._kept(step, CheckState.PASSED, None, f"{number}").sentence == f"{number}"
    assert procedure._kept.cache_info().currsize == 256


def test_an_issuer_that_was_found_is_bound_anew_under_other_scopes(
    accepted_snapshot: CardSnapshot, anchors: TrustAnchors, policy: Policy, now: datetime
) -> None:
    bound_to_nothing = replace(policy, anchors={})
    for _ in range(2):
        assert inspect(accepted_snapshot, trust=anchors, policy=policy, now=now).codes == ()
        report = inspect(accepted_snapshot, trust=anchors, policy=bound_to_nothing, now=now)
        assert "signer.authority-scope" in report.codes


def test_nothing_is_kept_of_what_is_said_of_one_card_alone_or_against_it(
    accepted_snapshot: CardSnapshot, anchors: TrustAnchors, policy: Policy, now: datetime
) -> None:
    forget()
    inspect(accepted_snapshot, trust=anchors, policy=policy, now=now)
    kept = procedure._kept.cache_info().currsize
    apart = [step for step in procedure.PROCEDURE if step.tells_cards_apart]
    assert kept == len(procedure.PROCEDURE) - len(apart)
    wrong = replace(accepted_snapshot, atr=b"\x3b\x00")
    inspect(wrong, trust=anchors, policy=policy, now=now)
    assert procedure._kept.cache_info().currsize == kept
