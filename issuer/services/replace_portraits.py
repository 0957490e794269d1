"""Use case: give a member another portrait, after whoever brings it has seen what the card would hold."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from issuer.domain.data_subjects import FileStore, FileToDestroy
from issuer.domain.member import MemberId, PortraitDigest
from issuer.domain.member_acts import NewPortrait
from issuer.domain.portrait import (
    NormalisedPortrait,
    PortraitDoubt,
    WaitingPortrait,
    require_picture_size,
)
from issuer.domain.rights import Actor
from issuer.errors import IssuerError, IssuerRefusedError
from issuer.services.change_members import ChangeOfMembers, Justification
from issuer.services.destroy_files import DestructionOfFiles
from issuer.services.register_ports import PortraitNormaliser, PortraitStore, WaitingPortraits
from issuer.services.weighed_changes import ChangedMember, WeighedChange

__all__ = ["BroughtPortrait", "PortraitDesk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BroughtPortrait:
    """A new portrait that waits to be looked at.

    Attributes:
        word: names it among those that wait.
        doubts: what a person has to judge.
        has_checked_faces: whether somebody counted the faces.
        weighed: what it would change and mean.
    """

    word: str
    doubts: tuple[PortraitDoubt, ...]
    has_checked_faces: bool
    weighed: WeighedChange


@dataclass(frozen=True, slots=True, kw_only=True)
class PortraitDesk:
    """Everything that another portrait needs from the world.

    Attributes:
        changes: the use case that changes members.
        open_normaliser: makes card portraits of pictures, until the block ends.
        waiting: where portraits wait.
        store: where card portraits are kept.
    """

    changes: ChangeOfMembers
    open_normaliser: Callable[[], AbstractContextManager[PortraitNormaliser]] = field(repr=False)
    waiting: WaitingPortraits
    store: PortraitStore

    def bring(
        self, member_id: MemberId, picture: bytes, *, actor: Actor, version: int
    ) -> BroughtPortrait:
        """Make a card portrait of a picture, and have it wait; nothing of the member is changed.

        Raises:
            IssuerDataError: the picture is refused (``portrait.too-large`` and as ``PortraitNormaliser.normalise``).
            IssuerRefusedError, ConflictError: as ``ChangeOfMembers.weigh``.
            IssuerUnavailableError: it cannot be looked at or kept.
        """
        require_picture_size(picture)
        # Whoever has no right here makes no worker decode anything.
        self.changes.look(member_id, actor=actor)
        with self.open_normaliser() as normaliser:
            made = normaliser.normalise(picture)
        waiting = WaitingPortrait(portrait=made, source=hashlib.sha256(picture).digest())
        weighed = self._weigh(member_id, waiting, actor=actor, version=version)
        return BroughtPortrait(
            word=self.waiting.keep(member_id, waiting),
            doubts=made.doubts,
            has_checked_faces=made.has_checked_faces,
            weighed=weighed,
        )

    def look(
        self, member_id: MemberId, word: str, *, actor: Actor, version: int
    ) -> BroughtPortrait:
        """A portrait that waits, weighed once more.

        Raises:
            IssuerRefusedError: ``portrait.gone``; as ``ChangeOfMembers.weigh``.
        """
        waiting = self.waiting.get(member_id, word)
        return BroughtPortrait(
            word=word,
            doubts=waiting.portrait.doubts,
            has_checked_faces=waiting.portrait.has_checked_faces,
            weighed=self._weigh(member_id, waiting, actor=actor, version=version),
        )

    def image(self, member_id: MemberId, word: str, *, actor: Actor) -> bytes:
        """A portrait that waits, as the card would hold it (JPEG).

        Raises:
            IssuerRefusedError: ``portrait.gone``; the actor may not change the member.
        """
        self.changes.look(member_id, actor=actor)
        return self.waiting.get(member_id, word).portrait.image

    def discard(self, member_id: MemberId, word: str) -> None:
        """Take a portrait away that waits and is not wanted."""
        self.waiting.remove(member_id, word)

    def replace(
        self,
        member_id: MemberId,
        word: str,
        *,
        actor: Actor,
        version: int,
        why: Justification,
        accepts_doubts: bool,
    ) -> ChangedMember:
        """Let a portrait that waits take the place of the member's; the earlier one is destroyed, once no card needs it.

        Raises:
            IssuerRefusedError: ``portrait.gone``; a person has to judge it first (``portrait.doubtful``); as
                ``ChangeOfMembers.take``.
            IssuerDataError, ConflictError: as ``ChangeOfMembers.take``.
        """
        waiting = self.waiting.get(member_id, word)
        if waiting.portrait.doubts and not accepts_doubts:
            codes = ", ".join(each.code for each in waiting.portrait.doubts)
            raise IssuerRefusedError(
                f"the portrait is doubtful ({codes}), and nobody has said that it is good nevertheless",
                code="portrait.doubtful",
                hint="look at it, then say so, or bring another picture",
            )
        before = self.changes.look(member_id, actor=actor).member.portrait
        # The picture is durable before the record that names it.
        portrait = self.store.put(waiting.portrait.image)
        act = NewPortrait(portrait=portrait, source=PortraitDigest(waiting.source))
        try:
            done = self.changes.take(member_id, act, actor=actor, version=version, why=why)
        except IssuerError:
            with self.changes.register.writing() as transaction:
                transaction.subjects.doom(_file(portrait))
            self._destroy(portrait)
            raise
        self.waiting.remove(member_id, word)
        self._destroy(before)
        return done

    def _weigh(
        self, member_id: MemberId, waiting: WaitingPortrait, *, actor: Actor, version: int
    ) -> WeighedChange:
        act = NewPortrait(
            portrait=_digest_of(waiting.portrait), source=PortraitDigest(waiting.source)
        )
        return self.changes.weigh(member_id, act, actor=actor, version=version)

    def _destroy(self, portrait: PortraitDigest) -> None:
        """What is doomed and nobody's goes at once; where this breaks off or a card needs it, a later cleaning up does it."""
        DestructionOfFiles(
            register=self.changes.register, portraits=self.store, evidence=self.changes.evidence
        ).destroy(only=_file(portrait))


def _file(portrait: PortraitDigest) -> FileToDestroy:
    return FileToDestroy(store=FileStore.PORTRAITS, digest=portrait)


def _digest_of(portrait: NormalisedPortrait) -> PortraitDigest:
    return PortraitDigest(hashlib.sha256(portrait.image).digest())
