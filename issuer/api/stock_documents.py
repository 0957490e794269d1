"""What the API says of the stock of chips, and what programs ask of it."""

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from issuer.domain.chip import Serial, parse_serial
from issuer.domain.stock_account import SiteKind, StockClass, StockCount
from issuer.domain.stock_acts import (
    DayClose,
    DayCloseState,
    Destruction,
    DestructionState,
    Movement,
    MovementKind,
    Stop,
    StopReason,
    StopState,
)
from issuer.services.close_days import CountOutcome
from issuer.services.destroy_chips import DestroyedChips
from issuer.services.stock_room import SiteView

__all__ = [
    "ConfirmDestructionBody",
    "CountBody",
    "CountDocument",
    "CountListDocument",
    "DeliveryBody",
    "DestructionBody",
    "DestructionDocument",
    "DestructionListDocument",
    "DoneDocument",
    "EmptyBody",
    "MoveBody",
    "MovementDocument",
    "MovementPageDocument",
    "ReasonBody",
    "SampleBody",
    "SerialsBody",
    "SiteBody",
    "SiteDocument",
    "SiteListDocument",
    "StopBody",
    "StopDocument",
    "StopListDocument",
]

MAX_SERIALS_AT_ONCE = 2500
"""As many as a request's body can bring."""

SerialText = Annotated[
    str, StringConstraints(pattern=r"^[0-9A-Fa-f]{20}$"), Field(examples=["00000000000000000001"])
]
CodeText = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$"), Field(examples=["station-1"])
]
Figure = Annotated[int, Field(ge=0)]
CountedFigure = Annotated[int, Field(ge=0, le=100_000_000)]
Line = Annotated[str, Field(min_length=1, max_length=200)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EmptyBody(_Body):
    """Nothing more has to be said."""


class SerialsBody(_Body):
    """Some chips."""

    serials: list[SerialText] = Field(min_length=1, max_length=MAX_SERIALS_AT_ONCE)

    def chips(self) -> list[Serial]:
        """Their serials."""
        return [parse_serial(each) for each in self.serials]


class MoveBody(SerialsBody):
    """Where chips go."""

    to: CodeText


class SampleBody(SerialsBody):
    """What samples are for."""

    purpose: Line


class DeliveryBody(SerialsBody):
    """A delivery."""

    delivery: Line = Field(description="What the delivery is called.", examples=["box 7"])


class StopBody(SerialsBody):
    """Why chips go onto the stop list."""

    reason: StopReason


class DestructionBody(SerialsBody):
    """What was destroyed, where and how."""

    site: CodeText
    manner: Line = Field(examples=["shredded"])


class ConfirmDestructionBody(_Body):
    """What the second witness saw."""

    chips: int = Field(ge=1, le=200_000)


class ReasonBody(_Body):
    """Why."""

    reason: Line


class SiteBody(_Body):
    """A site to open."""

    code: CodeText
    kind: SiteKind
    name: str = Field(min_length=1, max_length=100)
    organisation: str | None = Field(default=None, min_length=1, max_length=32)


class CountBody(_Body):
    """What lies at a site; ``scanned`` names every chip, where they were scanned."""

    finished: CountedFigure
    spoiled: CountedFigure
    samples: CountedFigure
    left: CountedFigure
    scanned: list[SerialText] = Field(default_factory=list, max_length=MAX_SERIALS_AT_ONCE)

    def counted(self) -> StockCount:
        """The numbers."""
        return StockCount(
            finished=self.finished, spoiled=self.spoiled, samples=self.samples, left=self.left
        )

    def chips(self) -> list[Serial]:
        """The scanned serials."""
        return [parse_serial(each) for each in self.scanned]


class CountedDocument(BaseModel):
    """What lies at a site to be counted, or was counted there."""

    finished: Figure
    spoiled: Figure
    samples: Figure
    left: Figure

    @classmethod
    def of(cls, count: StockCount) -> "CountedDocument":
        """The document of a count."""
        return cls(
            finished=count.finished, spoiled=count.spoiled, samples=count.samples, left=count.left
        )


class SiteDocument(BaseModel):
    """A site and its account: received = good + spoiled + samples + left."""

    code: CodeText
    kind: SiteKind
    name: str
    organisation: str | None = None
    received: int
    good: Figure
    spoiled: Figure
    samples: Figure
    left: Figure
    stolen: Figure
    is_balanced: bool = Field(description="Whether movements and records agree.")
    owes_since: date | None = Field(default=None, description="The first day that was not closed.")
    in_hand: CountedDocument = Field(description="What lies there to be counted.")
    as_of: datetime | None = Field(
        default=None,
        description="When the figures were counted, where they are those of the last close.",
    )

    @classmethod
    def of(cls, view: SiteView) -> "SiteDocument":
        """The document of a site."""
        account = view.account
        return cls(
            code=view.site.code,
            kind=view.site.kind,
            name=view.site.name,
            organisation=view.site.organisation,
            received=account.received,
            good=account.total(StockClass.GOOD),
            spoiled=account.total(StockClass.SPOILED),
            samples=account.total(StockClass.SAMPLE),
            left=account.total(StockClass.LEFT),
            stolen=account.stolen,
            is_balanced=account.is_balanced,
            owes_since=view.owes_since,
            in_hand=CountedDocument.of(account.to_count()),
            as_of=view.as_of,
        )


class SiteListDocument(BaseModel):
    """The sites that the caller sees."""

    sites: list[SiteDocument]
    next: str | None = None


class MovementDocument(BaseModel):
    """One movement."""

    sequence: int = Field(ge=1)
    at: datetime
    account: str
    kind: MovementKind
    source: str | None = Field(default=None, description="Absent for a delivery.")
    target: str | None = Field(default=None, description="Absent for what was stolen.")
    chips: int = Field(ge=1)

    @classmethod
    def of(cls, movement: Movement) -> "MovementDocument":
        """The document of a movement."""
        return cls(
            sequence=movement.sequence,
            at=movement.at,
            account=movement.account,
            kind=movement.kind,
            source=movement.source,
            target=movement.target,
            chips=movement.chips,
        )


class MovementPageDocument(BaseModel):
    """Movements, the newest first."""

    movements: list[MovementDocument]
    next: str | None = None


class DoneDocument(BaseModel):
    """How many chips an act took."""

    chips: Figure


class CountDocument(BaseModel):
    """One count, and the close of a day where it was confirmed."""

    id: str = Field(examples=["6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f"])
    site: CodeText
    day: date
    state: DayCloseState
    received: int
    good: Figure
    spoiled: Figure
    samples: Figure
    left: Figure
    counted: CountedDocument
    expected: CountedDocument
    counted_by: str
    counted_at: datetime
    closed_by: str | None = None
    closed_at: datetime | None = None
    missing: list[SerialText] = Field(
        default_factory=list, description="Told once, to who counted: what was not scanned."
    )
    unexpected: list[SerialText] = Field(
        default_factory=list, description="Told once: what was scanned and belongs elsewhere."
    )

    @classmethod
    def of(cls, close: DayClose) -> "CountDocument":
        """The document of a count."""
        return cls(
            id=str(close.close_id),
            site=close.site,
            day=close.day,
            state=close.state,
            received=close.received,
            good=close.good,
            spoiled=close.spoiled,
            samples=close.samples,
            left=close.left,
            counted=CountedDocument.of(close.counted),
            expected=CountedDocument.of(close.expected),
            counted_by=close.counted_by,
            counted_at=close.counted_at,
            closed_by=close.closed_by,
            closed_at=close.closed_at,
        )

    @classmethod
    def of_outcome(cls, outcome: CountOutcome) -> "CountDocument":
        """The same with what is missing."""
        return cls.of(outcome.close).model_copy(
            update={
                "missing": [each.hex().upper() for each in outcome.missing],
                "unexpected": [each.hex().upper() for each in outcome.unexpected],
            }
        )


class CountListDocument(BaseModel):
    """The newest counts."""

    counts: list[CountDocument]
    next: str | None = None


class DestructionDocument(BaseModel):
    """One destruction; its serials where it was asked for alone."""

    id: str
    site: CodeText
    state: DestructionState
    manner: str
    chips: int = Field(ge=1)
    first_witness: str
    first_at: datetime
    second_witness: str | None = None
    second_at: datetime | None = None
    serials: list[SerialText] | None = None

    @classmethod
    def of(cls, destruction: Destruction) -> "DestructionDocument":
        """The document of a line."""
        return cls(
            id=str(destruction.destruction_id),
            site=destruction.site,
            state=destruction.state,
            manner=destruction.manner,
            chips=destruction.chips,
            first_witness=destruction.first_witness,
            first_at=destruction.first_at,
            second_witness=destruction.second_witness,
            second_at=destruction.second_at,
        )

    @classmethod
    def of_chips(cls, destroyed: DestroyedChips) -> "DestructionDocument":
        """The same with its chips."""
        return cls.of(destroyed.destruction).model_copy(
            update={"serials": [each.hex().upper() for each in destroyed.serials]}
        )


class DestructionListDocument(BaseModel):
    """The newest destructions."""

    destructions: list[DestructionDocument]
    next: str | None = None


class StopDocument(BaseModel):
    """One line of the stop list."""

    serial: SerialText
    reason: StopReason
    state: StopState
    site: str | None = Field(default=None, description="Absent where it never came to the stock.")
    reported_by: str
    reported_at: datetime
    concluded_by: str | None = None
    concluded_at: datetime | None = None

    @classmethod
    def of(cls, stop: Stop) -> "StopDocument":
        """The document of a line."""
        return cls(
            serial=stop.serial.hex().upper(),
            reason=stop.reason,
            state=stop.state,
            site=stop.site,
            reported_by=stop.reported_by,
            reported_at=stop.reported_at,
            concluded_by=stop.concluded_by,
            concluded_at=stop.concluded_at,
        )


class StopListDocument(BaseModel):
    """The newest lines."""

    stops: list[StopDocument]
    next: str | None = None
