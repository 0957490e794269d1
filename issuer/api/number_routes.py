"""Card numbers: the blocks that committees were granted, how much of them is left, and one more."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from issuer.api.bundle_documents import BlockBody
from issuer.api.cursors import CursorScope
from issuer.api.gate import Caller, Demand, Services
from issuer.api.once import KeyHeader, Receipt, answer_of, carry_out_once, mark_of
from issuer.api.organisation_acts import hiding_organisations
from issuer.api.organisation_routes import OrganisationReader
from issuer.api.pages_of_lists import ListQuery
from issuer.api.ports import ApiServices
from issuer.domain.card_number import CardNumber
from issuer.domain.number_blocks import BlockSupply, NumberBlock
from issuer.domain.organisation import parse_organisation_code
from issuer.domain.rights import Right
from issuer.services.operation_ports import KeptAnswer

__all__ = [
    "BlocksQuery",
    "NumberBlocksDocument",
    "NumberGranter",
    "grant_once",
    "number_blocks_page",
    "number_router",
]

number_router = APIRouter(prefix="/v1/number-blocks", tags=["numbers"])

NumberGranter = Annotated[Caller, Depends(Demand(Right.ALLOT_NUMBERS))]
_LIST: Final = "/v1/number-blocks"


class BlocksQuery(ListQuery):
    """Which blocks."""

    organisation: str | None = Field(
        default=None,
        min_length=1,
        max_length=32,
        description="Of this committee and those below it; absent: of the caller's part of the tree.",
        examples=["P"],
    )


class BlockDocument(BaseModel):
    """One block; its numbers are given out from the lowest upwards."""

    id: UUID
    committee: str = Field(examples=["P"])
    first: str = Field(examples=["98.000001"])
    last: str = Field(examples=["98.050000"])
    granted: int = Field(ge=1, description="How many numbers it has.")
    left: int = Field(ge=0, description="How many were not looked at yet.")
    held_by: str | None = Field(
        description="The instance that alone gives them out; null where they are given out here."
    )
    granted_at: datetime
    granted_by: str = Field(examples=["van"])

    @classmethod
    def of(cls, block: NumberBlock, services: ApiServices) -> "BlockDocument":
        """The document of a block."""
        display = services.scheme.display
        return cls(
            id=block.block_id,
            committee=block.committee,
            first=display(block.first),
            last=display(block.last),
            granted=block.span.end - block.span.first,
            left=block.left,
            held_by=block.held_by,
            granted_at=block.granted_at,
            granted_by=block.granted_by,
        )


class CommitteeSupplyDocument(BaseModel):
    """How much a committee has left in all of its blocks that are given out here."""

    committee: str = Field(examples=["P"])
    name: str
    supply: BlockSupply


class NumberBlocksDocument(BaseModel):
    """Blocks by their numbers."""

    blocks: list[BlockDocument]
    supplies: list[CommitteeSupplyDocument] = Field(description="Of the committees of this page.")
    fault: str | None = Field(
        description="The code of what keeps every number from being given out; null where nothing does.",
        examples=["numbers.mark-missing"],
    )
    next: str | None = None


def number_blocks_page(
    caller: Caller, services: ApiServices, query: BlocksQuery
) -> NumberBlocksDocument:
    """A page of blocks.

    Raises:
        ApiError: ``api.cursor-invalid``.
        IssuerDataError: ``organisation.code-malformed``, ``organisation.unknown``.
    """
    scope = CursorScope(
        listing="number-blocks",
        account=caller.actor.account,
        selection={"organisation": query.organisation},
    )
    behind = None
    if query.cursor is not None:
        behind = CardNumber(services.cursors.open(query.cursor, scope).decode())
    looking = services.requests.looking_at_numbers
    found = looking.page(
        actor=caller.actor,
        limit=query.limit,
        behind=behind,
        under=None if query.organisation is None else parse_organisation_code(query.organisation),
    )
    return NumberBlocksDocument(
        blocks=[BlockDocument.of(each, services) for each in found.blocks],
        supplies=[
            CommitteeSupplyDocument(committee=code, name=found.names[code], supply=supply)
            for code, supply in sorted(found.supplies.items())
        ],
        fault=looking.fault(),
        next=None if found.end is None else services.cursors.seal(found.end.encode(), scope),
    )


def grant_once(services: ApiServices, caller: Caller, body: BlockBody, *, key: str) -> KeptAnswer:
    """Grant a block; the same under the same key is granted once.

    Raises:
        IssuerDataError, IssuerRefusedError: ``idempotency.*``; as ``NumberOffice.grant``.
    """
    mark = mark_of(
        caller.actor.account,
        key,
        what="grant card numbers",
        content=body.model_dump_json().encode(),
    )

    def act() -> Receipt:
        committee = parse_organisation_code(body.committee)
        with hiding_organisations(services, caller, committee):
            block = services.requests.numbers.grant(
                committee,
                first=services.scheme.parse(body.first),
                last=services.scheme.parse(body.last),
                actor=caller.actor,
            )
        return Receipt(status=201, location=_LIST, document=BlockDocument.of(block, services))

    return carry_out_once(services, mark, act)


@number_router.get("", summary="List blocks of card numbers")
def list_blocks(
    query: Annotated[BlocksQuery, Query()], services: Services, caller: OrganisationReader
) -> NumberBlocksDocument:
    """By their numbers, with how much each committee has left."""
    return number_blocks_page(caller, services, query)


@number_router.post(
    "", status_code=201, summary="Grant a committee card numbers", response_model=BlockDocument
)
def grant_block(
    body: BlockBody, services: Services, caller: NumberGranter, key: KeyHeader
) -> Response:
    """A block of new numbers, from which its decisions are served."""
    return answer_of(grant_once(services, caller, body, key=key))
