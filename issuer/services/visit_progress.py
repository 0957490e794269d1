"""How far a visit has come: what a station's displays are told, of which nothing goes into a journal or a log."""

import enum
from collections.abc import Callable
from dataclasses import dataclass, field

from card_layout.errors import CardDataError
from card_layout.files.data_group_13 import MemberRecord
from issuer.domain.card_job import CardJob
from issuer.domain.card_number import CardNumber
from issuer.domain.chip import Serial

__all__ = ["ProgressReport", "StepReport", "VisitProgress", "VisitStage", "card_number_of"]

_MEMBERSHIP_FILE = "EF.DG13"


class VisitStage(enum.StrEnum):
    """What is being done to the chip, in the order in which a visit may come to it."""

    IDENTIFY = "identify"
    INITIALISE = "initialise"
    PERSONALISE = "personalise"
    QUALITY_CONTROL = "quality control"
    LOCK = "lock"
    PROVE_LOCK = "prove lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitProgress:
    """One moment of a visit.

    Attributes:
        stage: what is being done.
        serial: the chip, once it has told its serial.
        card_number: the number that is printed on the card, once it is known.
        done: steps of the stage that were carried out.
        steps: all steps of the stage; 0 where it is not counted in steps.
    """

    stage: VisitStage
    serial: Serial | None = None
    card_number: CardNumber | None = field(default=None, repr=False)
    done: int = 0
    steps: int = 0


StepReport = Callable[[int, int], None]
"""Is told how many steps of how many are carried out."""

ProgressReport = Callable[[VisitProgress], None]
"""Is told of each moment, in the thread of the visit."""


def card_number_of(job: CardJob) -> CardNumber | None:
    """The number that is printed on the card; ``None`` where its profile writes none.

    It is for people, who find the card in their hands by it; whether the file is right, quality control judges.
    """
    content = job.contents.get(_MEMBERSHIP_FILE)
    if content is None:
        return None
    try:
        return CardNumber(MemberRecord.from_bytes(content).card_number)
    except CardDataError:
        return None
