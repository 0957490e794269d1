"""Our own master list: the CSCA's certificates and links, signed by the list signer through the issuance cycle."""

from collections.abc import Sequence
from datetime import datetime

from pki.certificates.authority_certificate import Authority
from pki.certificates.list_signer import ListSignerCertificate
from pki.certificates.profile import ProfileKind
from pki.errors import PkiRefusedError
from pki.services.authority import AUTHORITY_KEY_ID, AuthorityService, require_signer
from pki.services.issuance import DraftKind
from pki.services.state import EntryKind, PkiState, SignerRecord
from pki.signed.master_list import MasterList
from pki.signed.master_list_writing import PreparedMasterList

__all__ = ["MasterListExport"]


class MasterListExport:
    """What other states and their terminals learn our authorities from."""

    def __init__(self, authority: AuthorityService) -> None:
        self._authority = authority
        self._recorder = authority.recorder

    def issue(self, signer_id: str | None = None) -> MasterList:
        """Sign and publish a list of every certificate of the CSCA that is valid, roots and links.

        Signing times only grow: whoever imports lists refuses one that is older than the last.

        Raises:
            PkiRefusedError: ``signer.unknown``, ``master-list.no-signer``: nobody, or not this one, may sign now;
                ``master-list.not-newer``: the clock is not behind the last list; ``authority.missing``,
                ``issuance.lint-failed``.
            KeystoreError, RecordError: it is unfinished, or not begun; its time stays used.
        """
        state = self._authority.state
        moment = self._recorder.now().replace(microsecond=0)
        listed = _valid_certificates(state, moment)
        record, certificate = self._signer(signer_id, moment)
        last = state.master_list_time
        if last is not None and moment <= last:
            raise PkiRefusedError(
                f"it is {moment:%Y-%m-%d %H:%M:%S}Z, expected a time after that of the last master list, "
                f"{last:%Y-%m-%d %H:%M:%S}Z",
                code="master-list.not-newer",
                hint="look at the clock; one list a second is signed",
            )
        issuer = _issuer_of(certificate, state)
        signer = self._authority.keys.signer(record.signer_id, certificate.certificate.public_key)
        prepared = PreparedMasterList.compose(
            signer_certificate=certificate.der,
            authority_certificate=issuer,
            public_key=signer.public_key,
            listed=listed,
            signing_time=moment,
        )
        der = self._authority.cycle.sign(
            prepared,
            signer=signer,
            kind=DraftKind.MASTER_LIST,
            variant=None if state.authority is None else state.authority.variant,
            issuer=certificate.der,
            intent=(
                EntryKind.MASTER_LIST_INTENDED,
                {"signer": record.signer_id, "signing_time": moment.isoformat()},
            ),
        )
        found = MasterList.from_bytes(der)
        self._recorder.record(EntryKind.MASTER_LIST_ISSUED, signer=record.signer_id, list=der.hex())
        self._authority.publication.publish_master_list(AUTHORITY_KEY_ID, der)
        return found

    def _signer(
        self, signer_id: str | None, moment: datetime
    ) -> tuple[SignerRecord, ListSignerCertificate]:
        """The signer that was asked for, else the newest that may sign now."""
        state = self._authority.state
        records = (
            list(state.signers.values())
            if signer_id is None
            else [require_signer(state, signer_id)]
        )
        usable = [
            (record, found) for record in records if (found := _usable(record, moment)) is not None
        ]
        if not usable:
            who = "there is no master-list signer" if signer_id is None else f"{signer_id} is none"
            raise PkiRefusedError(
                f"{who} that may sign master lists now",
                code="master-list.no-signer",
                hint="membercard-pki signer create --id lists-1 --profile master-list-signer",
            )
        return max(usable, key=lambda item: item[1].key_use_not_before)


def _usable(record: SignerRecord, moment: datetime) -> ListSignerCertificate | None:
    if (
        record.kind is not ProfileKind.MASTER_LIST_SIGNER
        or record.certificate is None
        or record.revoked_at is not None
        or record.destroyed_at is not None
    ):
        return None
    found = ListSignerCertificate.from_bytes(record.certificate, kind=record.kind)
    return found if found.key_use_not_before <= moment <= found.key_use_not_after else None


def _valid_certificates(state: PkiState, moment: datetime) -> Sequence[bytes]:
    """Those that a trust export has, as long as they are valid."""
    if state.authority_certificate is None:
        raise PkiRefusedError(
            "there is no authority yet",
            code="authority.missing",
            hint="membercard-pki authority create",
        )
    complete = [
        der
        for key_id, record in state.authorities.items()
        # A key whose roll-over broke off before the link is nobody's authority yet.
        if record.link is not None or key_id == AUTHORITY_KEY_ID
        for der in (record.certificate, record.link)
        if der is not None
    ]
    return [der for der in complete if moment <= Authority.read_unproven(der).not_after]


def _issuer_of(certificate: ListSignerCertificate, state: PkiState) -> bytes:
    """The self-signed certificate of the key that issued the signer's."""
    for record in state.authorities.values():
        if record.certificate is None:
            continue
        authority = Authority.from_bytes(record.certificate)
        if authority.key_identifier == certificate.authority_key_identifier:
            return authority.der
    raise PkiRefusedError(
        f"the authority of signer {certificate.name} is none of this home's",
        code="master-list.no-signer",
    )
