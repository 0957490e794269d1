"""Issuing status lists: numbers only grow, no card revives, and every list is recorded before it is signed."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from pki.certificates.profile import ProfileKind
from pki.errors import PkiRefusedError
from pki.keys.algorithms import HashAlgorithm, PublicKey
from pki.keys.signer import Signer
from pki.services.authority import AUTHORITY_KEY_ID
from pki.services.issuance import DraftKind, IssuanceCycle
from pki.services.key_room import SigningKeys, matching_signer
from pki.services.list_signers import newest_signer
from pki.services.recorder import Recorder
from pki.services.state import STATUS_LIST_SERIES, EntryKind
from pki.signed.card_states import CardStates, check_transitions
from pki.signed.status_list import StatusList, prepare_status_list
from pki.signed.status_list_delta import StatusListDelta

__all__ = [
    "DEFAULT_LIFETIME",
    "IssuedStatusList",
    "ListAuthority",
    "ServedAuthority",
    "ServedKeys",
    "SignerKeys",
    "StatusListService",
    "StatusListShelf",
]

DEFAULT_LIFETIME: Final = timedelta(days=30)


class StatusListShelf(Protocol):
    """Where status lists are kept: the journal holds their digests, because they are longer than its entries."""

    def keep_status_list(self, number: int, der: bytes) -> None:
        """Keep a list durably under its number."""

    def kept_status_list(self, number: int) -> bytes | None:
        """A list that was kept."""

    def publish_status_list(self, name: str, der: bytes) -> None:
        """Publish a list under a plain name, over the one before."""

    def publish_status_delta(self, name: str, number: int, data: bytes) -> None:
        """Publish what leads from the list before to the list of this number."""


class SignerKeys(Protocol):
    """The keys of signers, each checked against its certificate."""

    def signer(self, key_id: str, public_key: PublicKey) -> Signer:
        """As ``KeyRoom.signer``."""


class ListAuthority(Protocol):
    """What of an authority a list needs: it makes no key and no certificate."""

    @property
    def recorder(self) -> Recorder:
        """Journal, state and clock."""

    @property
    def keys(self) -> SignerKeys:
        """The keys."""

    @property
    def cycle(self) -> IssuanceCycle:
        """The one way to sign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedKeys:
    """The keys of another process, as ``SignerKeys``."""

    keys: SigningKeys

    def signer(self, key_id: str, public_key: PublicKey) -> Signer:
        """See ``SignerKeys.signer``."""
        return matching_signer(self.keys, key_id, public_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedAuthority:
    """An authority whose keys another process holds, as ``ListAuthority``."""

    recorder: Recorder
    keys: ServedKeys
    cycle: IssuanceCycle


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedStatusList:
    """A list that was issued, how many cards changed, and what leads to it from the one before."""

    status_list: StatusList
    changes: int
    delta: StatusListDelta | None


class StatusListService:
    """What an issuer's states become, on top of the authority that certified the list's signer."""

    def __init__(self, authority: ListAuthority, shelf: StatusListShelf) -> None:
        self._authority = authority
        self._recorder = authority.recorder
        self._shelf = shelf

    def issue(
        self,
        states: CardStates,
        *,
        lifetime: timedelta = DEFAULT_LIFETIME,
        previous: bytes | None = None,
    ) -> IssuedStatusList:
        """Sign, record and publish the list with the next number, and the delta from the one before.

        ``previous`` is the list before, for a home that does not have it any more.

        Raises:
            PkiRefusedError: ``status-list.transition``, ``status-list.list-vanished``: nothing was done;
                ``status-list.no-signer``, ``status-list.previous-missing``, ``status-list.not-newer``,
                ``status-list.request-invalid``, ``issuance.lint-failed``.
            KeystoreError, RecordError: it is unfinished, or not begun; its number stays used.
        """
        moment = self._recorder.now().replace(microsecond=0)
        before = self._previous(previous)
        changes = check_transitions(
            CardStates(positions=states.positions, tables={}) if before is None else before.states,
            states,
        )
        if before is not None and moment <= before.this_update:
            raise PkiRefusedError(
                f"it is {moment:%Y-%m-%d %H:%M:%S}Z, expected a time after that of the list before, "
                f"{before.this_update:%Y-%m-%d %H:%M:%S}Z",
                code="status-list.not-newer",
                hint="look at the clock; one list a second is signed",
            )
        found = newest_signer(self._recorder.state, ProfileKind.STATUS_LIST_SIGNER, moment)
        if found is None:
            raise PkiRefusedError(
                "there is no status-list signer that may sign now",
                code="status-list.no-signer",
                hint="membercard-pki signer create --id status-1 --profile status-list-signer",
            )
        record, certificate = found
        signer = self._authority.keys.signer(record.signer_id, certificate.certificate.public_key)
        number = self._authority.cycle.reserve_list_number(STATUS_LIST_SERIES)
        prepared = prepare_status_list(
            signer_certificate=certificate.der,
            public_key=signer.public_key,
            number=number,
            this_update=moment,
            next_update=moment + lifetime,
            states=states,
        )
        der = self._authority.cycle.sign(
            prepared,
            signer=signer,
            kind=DraftKind.STATUS_LIST,
            issuer=certificate.der,
            intent=(
                EntryKind.STATUS_LIST_INTENDED,
                {"number": number, "signer": record.signer_id},
            ),
        )
        issued = StatusList.from_bytes(der)
        self._shelf.keep_status_list(number, der)
        self._recorder.record(
            EntryKind.STATUS_LIST_ISSUED, number=number, sha256=issued.fingerprint
        )
        self._shelf.publish_status_list(AUTHORITY_KEY_ID, der)
        delta = None if before is None else StatusListDelta.between(before, issued)
        if delta is not None:
            self._shelf.publish_status_delta(AUTHORITY_KEY_ID, number, delta.to_bytes())
        return IssuedStatusList(status_list=issued, changes=changes, delta=delta)

    def _previous(self, given: bytes | None) -> StatusList | None:
        """The list before, which must be the one that the journal knows."""
        last = self._recorder.state.status_list
        if last is None:
            return None
        der = given if given is not None else self._shelf.kept_status_list(last.number)
        if der is None or HashAlgorithm.SHA256.digest(der).hex() != last.sha256:
            raise PkiRefusedError(
                f"status list {last.number}, the one before, is not here or not the one that was issued",
                code="status-list.previous-missing",
                hint="give --previous a copy of it: every terminal has one. Without it a card could revive",
            )
        return StatusList.from_bytes(der)
