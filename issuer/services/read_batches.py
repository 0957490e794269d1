"""Use case: look at batches, their requests and cards; what is shown of people is said to the audit trail."""

from collections.abc import Collection
from dataclasses import dataclass

from issuer.domain.audit_reads import members_listed
from issuer.domain.batch import Batch, BatchEvent, BatchId, BatchState, BatchTally
from issuer.domain.decisions import DecisionId
from issuer.domain.member import MemberId
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerRefusedError
from issuer.services.batch_desk import BatchDesk, demand_at
from issuer.services.batch_ports import BatchLine, BatchPosition, BatchQuestion

__all__ = ["BatchLinesPage", "BatchListPage", "BatchView", "NamedLine", "ReadingOfBatches"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchView:
    """A batch with what a page shows of it beside: names, counts, what happened, and the decision."""

    batch: Batch
    receiver_name: str
    decision_number: str
    tally: BatchTally
    events: tuple[BatchEvent, ...] = ()
    waiting: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchListPage:
    """One page, the newest first; ``end`` is ``None`` on the last one."""

    batches: tuple[BatchView, ...]
    end: BatchPosition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedLine:
    """A line with the member's name, where whoever asks may read members."""

    line: BatchLine
    full_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLinesPage:
    """One page of a batch's lines; ``end`` is the position behind which the next one begins."""

    lines: tuple[NamedLine, ...]
    end: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOfBatches:
    """Shows batches to those who may read cards."""

    desk: BatchDesk

    def page(
        self,
        *,
        actor: Actor,
        limit: int,
        behind: BatchPosition | None = None,
        states: Collection[BatchState] | None = None,
        decision_id: DecisionId | None = None,
    ) -> BatchListPage:
        """The batches of one's own part of the tree, the newest first.

        Raises:
            IssuerRefusedError: ``right.missing``.
        """
        roots = actor.roots(Right.READ_CARDS)
        if roots is not None and not roots:
            raise IssuerRefusedError(
                f"account {actor.account} has no right {Right.READ_CARDS} anywhere",
                code="right.missing",
            )
        with self.desk.register.reading() as transaction:
            page = transaction.batches.page(
                BatchQuestion(states=states, below=roots, decision_id=decision_id),
                limit=limit,
                behind=behind,
            )
            tallies = transaction.batches.tallies([each.batch_id for each in page.batches])
            receivers = {each.receiver for each in page.batches}
            known = transaction.organisations.around(receivers)
            names = {
                # Those that were closed are in no tree of today.
                each: (known if each in known else transaction.organisations).get(each).name
                for each in receivers
            }
            decisions = transaction.decisions.several([each.decision_id for each in page.batches])
        return BatchListPage(
            batches=tuple(
                BatchView(
                    batch=batch,
                    receiver_name=names[batch.receiver],
                    decision_number=decisions[batch.decision_id].number,
                    tally=tallies[batch.batch_id],
                )
                for batch in page.batches
            ),
            end=page.end,
        )

    def show(self, batch_id: BatchId, *, actor: Actor) -> BatchView:
        """One batch: its counts, its time line, and how many requests could go into it while it is open.

        Raises:
            IssuerRefusedError: ``right.missing``, ``batch.unknown``.
        """
        with self.desk.register.reading() as transaction:
            batch = transaction.batches.get(batch_id)
            demand_at(self.desk, transaction, actor, batch.receiver, Right.READ_CARDS)
            return BatchView(
                batch=batch,
                receiver_name=transaction.organisations.get(batch.receiver).name,
                decision_number=transaction.decisions.get(batch.decision_id).number,
                tally=transaction.batches.tallies([batch_id])[batch_id],
                events=transaction.batches.events(batch_id),
                waiting=transaction.batches.waiting(batch)
                if batch.state is BatchState.OPEN
                else None,
            )

    def lines(
        self,
        batch_id: BatchId,
        *,
        actor: Actor,
        limit: int,
        behind: int | None = None,
        with_names: bool = False,
    ) -> BatchLinesPage:
        """One page of a batch's requests and cards; with names for those who may read members there.

        Raises:
            IssuerRefusedError: ``right.missing``, ``batch.unknown``.
        """
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            batch = transaction.batches.get(batch_id)
            demand_at(self.desk, transaction, actor, batch.receiver, Right.READ_CARDS)
            if with_names:
                demand_at(self.desk, transaction, actor, batch.receiver, Right.READ_MEMBERS)
            found = transaction.batches.lines(batch_id, limit=limit + 1, behind=behind)
            shown = found[:limit]
            names: dict[MemberId, str] = {}
            if with_names:
                ids = [line.member_id for line in shown]
                names = {
                    each.member_id: each.statement.name.full
                    for each in transaction.members.several(ids)
                }
                for record in members_listed(
                    ids, account=actor.account, organisation=batch.receiver, at=now
                ):
                    transaction.audit.append(record)
        return BatchLinesPage(
            lines=tuple(
                NamedLine(line=line, full_name=names.get(line.member_id)) for line in shown
            ),
            end=shown[-1].position if len(found) > limit else None,
        )
