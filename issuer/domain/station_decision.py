"""What a station does with the chip in its reader: a decision over what the chip says and what the record says.

The chip is asked for its life cycle (ATR), its serial and key version (INITIALIZE UPDATE), and its card
reference (GET DATA); the record is the chip's line in the stock ledger and the card bound to it, if any. The
serial has been proven by the keys by the time anything is decided.

Intent is recorded before every act, so a tear leaves the chip at most one step *behind* what the record allows
and never ahead of it. All such pairs lead onwards. Every other pair means that the record or the chip was
changed behind our back (a restored backup, an exchanged chip): then the chip is refused, and condemned where
it holds another card's data, because it may become a second card of one member otherwise.
"""

import enum
from dataclasses import dataclass, field

from card_layout.atr import LifeCycle
from issuer.domain.card import Card, CardReference, CardState
from issuer.domain.chip import (
    KEY_VERSION_TRANSPORT,
    Chip,
    ChipState,
    is_personalisation_version,
)
from issuer.domain.stock_account import HELD_AS_SAMPLE, HELD_AS_STOLEN

__all__ = ["Action", "ChipEvidence", "Decision", "decide"]


class Action(enum.Enum):
    """What to do with the chip."""

    INITIALISE = "initialise"
    RESUME_INITIALISE = "resume initialise"
    FINISH_INITIALISATION_RECORD = "finish the record of the initialisation"
    PERSONALISE = "personalise from the start"
    QUALITY_CONTROL = "quality control and lock"
    FINISH_RECORD = "prove the lock and finish the record"
    REFUSE = "refuse"
    CONDEMN = "condemn"
    TERMINATE = "terminate the chip of a condemned record"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipEvidence:
    """What the chip said.

    Attributes:
        life_cycle: from the ATR.
        key_version: KVN of the keys that the chip proved; ``None`` for a chip that has no personalisation
            channel any more.
        reference: the card reference that it holds, where it holds one.
        is_keyless: whether its dialect knows neither keys nor references (``jmrtd``): what it holds is then found
            out by quality control, which compares every byte, and by nothing before.
    """

    life_cycle: LifeCycle
    key_version: int | None = None
    reference: CardReference | None = field(default=None, repr=False)
    is_keyless: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The action, and for ``REFUSE`` and ``CONDEMN`` its stable code and a sentence for people."""

    action: Action
    code: str | None = None
    reason: str | None = None


def decide(evidence: ChipEvidence, chip: Chip | None, card: Card | None) -> Decision:
    """The one thing to do; total over all evidence and records.

    Args:
        evidence: what the chip said.
        chip: the stock ledger's line for its serial; ``None`` where the serial is unknown.
        card: the card bound to it that is not condemned, or else the condemned one; ``None`` without any.
    """
    if evidence.life_cycle is LifeCycle.TERMINATED:
        return _refuse("chip.terminated", "the chip is terminated")
    if chip is None:
        return _refuse("chip.not-in-stock", "the chip is not in the stock ledger")
    withheld = _decide_withheld(evidence, chip, card)
    if withheld is not None:
        return withheld
    if card is not None and chip.state is not ChipState.INITIALISED:
        return _refuse(
            "record.contradictory", f"a card is bound to the chip, but the record says {chip.state}"
        )
    return _decide_by_life_cycle(evidence, chip, card)


def _decide_withheld(evidence: ChipEvidence, chip: Chip, card: Card | None) -> Decision | None:
    """What the record keeps from every station."""
    if HELD_AS_STOLEN in (chip.held, chip.condemned_for):
        # It is not terminated either: it may have to be shown to the police.
        return _refuse(HELD_AS_STOLEN, "the chip is on the stop list: keep it apart and say so")
    if chip.held == HELD_AS_SAMPLE:
        return _refuse(HELD_AS_SAMPLE, "the chip was taken out as a sample")
    if chip.state is ChipState.CONDEMNED or (
        card is not None and card.state is CardState.CONDEMNED
    ):
        return _decide_condemned(evidence)
    if chip.held is not None:
        return _refuse(
            "chip.held", f"the chip is held because of {chip.held}; a person must look at it"
        )
    return None


def _decide_by_life_cycle(evidence: ChipEvidence, chip: Chip, card: Card | None) -> Decision:
    if evidence.life_cycle is LifeCycle.OPERATIONAL:
        return _decide_operational(card)
    if evidence.life_cycle is LifeCycle.BLANK:
        return _decide_blank(evidence, chip)
    if evidence.is_keyless and chip.state is ChipState.RECEIVED:
        return _refuse(
            "chip.ahead-of-record", "the chip was written to, but no initialisation was begun"
        )
    if not evidence.is_keyless and not is_personalisation_version(evidence.key_version):
        return _refuse(
            "chip.transport-keys-left",
            "the chip is past initialisation but holds its transport keys",
        )
    if evidence.life_cycle is LifeCycle.INITIALISED:
        return _decide_initialised(chip, card)
    return _decide_personalised(evidence, card)


def _decide_condemned(evidence: ChipEvidence) -> Decision:
    if evidence.life_cycle is LifeCycle.OPERATIONAL:
        return _refuse(
            "card.condemned",
            "the card is condemned but works: keep it apart, its status index must be revoked",
        )
    return Decision(action=Action.TERMINATE, code="card.condemned", reason="the chip is condemned")


def _decide_operational(card: Card | None) -> Decision:
    if card is not None and card.state is CardState.LOCKING:
        # SET STATUS 05 was carried out and its answer, or our commit, was lost.
        return Decision(action=Action.FINISH_RECORD)
    if card is not None and card.state in (CardState.ISSUED, CardState.HANDED_OVER):
        return _refuse("card.already-issued", "the card is finished already")
    return _condemn(
        "card.operational-without-lock", "the card is operational, and no lock was ever intended"
    )


def _decide_blank(evidence: ChipEvidence, chip: Chip) -> Decision:
    if chip.state is ChipState.INITIALISED:
        return _refuse(
            "chip.behind-record", "the chip is blank, but the record says it was initialised"
        )
    has_begun = evidence.is_keyless or is_personalisation_version(evidence.key_version)
    if chip.state is ChipState.INITIALISING and has_begun:
        return Decision(action=Action.RESUME_INITIALISE)
    if not evidence.is_keyless and evidence.key_version != KEY_VERSION_TRANSPORT:
        return _refuse(
            "chip.ahead-of-record", "the chip's keys were replaced, but no initialisation was begun"
        )
    return Decision(action=Action.INITIALISE)


def _decide_initialised(chip: Chip, card: Card | None) -> Decision:
    if chip.state is ChipState.RECEIVED or (
        chip.state is ChipState.INITIALISING and chip.public_key is None
    ):
        return _refuse(
            "chip.ahead-of-record", "the chip is initialised, but the record has no key of it"
        )
    if chip.state is ChipState.INITIALISING:
        # The key is recorded before SET STATUS 03, so it is the one that the chip holds.
        return Decision(action=Action.FINISH_INITIALISATION_RECORD)
    if card is None:
        return _refuse("chip.not-bound", "the chip is initialised and no member is bound to it")
    if card.state is CardState.BOUND:
        return _refuse("card.not-signed", "the card is bound but not signed")
    if card.state in (CardState.SIGNED, CardState.PERSONALISING):
        return Decision(action=Action.PERSONALISE)
    return _refuse(
        "card.behind-record", f"the chip holds no card data, but the record says {card.state}"
    )


def _decide_personalised(evidence: ChipEvidence, card: Card | None) -> Decision:
    if card is not None and card.state in (CardState.ISSUED, CardState.HANDED_OVER):
        return _refuse(
            "card.behind-record", f"the chip is not locked, but the record says {card.state}"
        )
    is_other = not evidence.is_keyless and card is not None and evidence.reference != card.reference
    if card is None or is_other:
        return _condemn("card.other-reference", "the chip holds the reference of another card")
    if card.state is CardState.BOUND:
        return _condemn("card.written-before-signed", "the chip holds data, but nothing was signed")
    if evidence.life_cycle is LifeCycle.PERSONALISED:
        return Decision(action=Action.QUALITY_CONTROL)
    if card.state in (CardState.SIGNED, CardState.PERSONALISING):
        return Decision(action=Action.PERSONALISE)
    return _condemn(
        "card.behind-record", f"the chip is being written, but the record says {card.state}"
    )


def _refuse(code: str, reason: str) -> Decision:
    return Decision(action=Action.REFUSE, code=code, reason=reason)


def _condemn(code: str, reason: str) -> Decision:
    return Decision(action=Action.CONDEMN, code=code, reason=reason)
