"""Use case: look at the blocks of card numbers, within one's own part of the tree: whose they are, and what is left."""

from collections.abc import Mapping
from dataclasses import dataclass

from issuer.domain.card_number import CardNumber
from issuer.domain.number_blocks import BlockSupply, NumberBlock
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerDataError, IssuerError, IssuerRefusedError
from issuer.services.allot_numbers import current_mark
from issuer.services.number_ports import NumberMarkStore
from issuer.services.places import place_of
from issuer.services.register_ports import Register

__all__ = ["LookingAtNumbers", "NumberBlocks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberBlocks:
    """One page of blocks, by their numbers.

    Attributes:
        blocks: those of the page.
        names: what their committees are called.
        supplies: how much each of these committees has left in all of its blocks that are given out here.
        end: the lowest number of the last block, behind which the next page begins; ``None`` on the last one.
    """

    blocks: tuple[NumberBlock, ...]
    names: Mapping[OrganisationCode, str]
    supplies: Mapping[OrganisationCode, BlockSupply]
    end: CardNumber | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LookingAtNumbers:
    """Everything that it needs from the world."""

    register: Register
    marks: NumberMarkStore

    def page(
        self,
        *,
        actor: Actor,
        limit: int,
        behind: CardNumber | None = None,
        under: OrganisationCode | None = None,
    ) -> NumberBlocks:
        """Blocks of committees that the actor may see; with ``under``, of one and those below it.

        Raises:
            IssuerDataError: there is no such organisation in the actor's part (``organisation.unknown``).
            IssuerRefusedError: ``right.missing``.
        """
        right = Right.READ_ORGANISATIONS
        if not actor.may_somewhere(right):
            raise IssuerRefusedError(
                f"account {actor.account} has no right {right}", code="right.missing"
            )
        with self.register.reading() as transaction:
            roots = actor.roots(right)
            if under is not None:
                if not actor.may(right, place=place_of(transaction.organisations, under)):
                    raise IssuerDataError(
                        f"organisation {under} is not in the register", code="organisation.unknown"
                    )
                roots = frozenset({under})
            found = transaction.numbers.page(roots=roots, limit=limit + 1, behind=behind)
            blocks = tuple(block for block, _ in found[:limit])
            return NumberBlocks(
                blocks=blocks,
                names={block.committee: name for block, name in found[:limit]},
                supplies=transaction.numbers.supplies({each.committee for each in blocks}),
                end=blocks[-1].first if len(found) > limit else None,
            )

    def fault(self) -> str | None:
        """The code of what keeps every number from being given out: the mark beside the database; ``None`` where nothing does."""
        with self.register.reading() as transaction:
            state = transaction.numbers.state()
        if state is None:
            return None
        try:
            # The mark is written before the register commits, so it is read later: then it is never behind.
            current_mark(self.marks, state)
        except IssuerError as error:
            return error.code
        return None
