"""The kinds of entries in an authority's journal, and what sets some of them apart."""

from enum import Enum

__all__ = ["FOLDED_KINDS", "SIGNATURE_KINDS", "EntryKind"]


class EntryKind(Enum):
    """The kinds of journal entries; the values stand in journals and never change."""

    KEY_INTENDED = "key.intended"
    KEY_CREATED = "key.created"
    KEY_DESTRUCTION_INTENDED = "key.destruction-intended"
    KEY_DESTROYED = "key.destroyed"
    SERIAL_RESERVED = "serial.reserved"
    NUMBER_RESERVED = "number.reserved"
    LINT_REFUSED = "lint.refused"
    AUTHORITY_INTENDED = "authority-certificate.intended"
    AUTHORITY_ISSUED = "authority-certificate.issued"
    LINK_INTENDED = "link-certificate.intended"
    LINK_ISSUED = "link-certificate.issued"
    SIGNER_INTENDED = "signer-certificate.intended"
    SIGNER_ISSUED = "signer-certificate.issued"
    SIGNER_REVOKED = "signer.revoked"
    SIGNER_COMPROMISED = "signer.compromised"
    CRL_STAGED = "crl.staged"
    CRL_INTENDED = "crl.intended"
    CRL_ISSUED = "crl.issued"
    STOP_LIST_INTENDED = "stop-list.intended"
    STOP_LIST_ISSUED = "stop-list.issued"
    MASTER_LIST_INTENDED = "master-list.intended"
    MASTER_LIST_ISSUED = "master-list.issued"
    STATUS_LIST_INTENDED = "status-list.intended"
    STATUS_LIST_ISSUED = "status-list.issued"
    STATUS_JWT_INTENDED = "status-jwt.intended"
    TRUST_BUNDLE_INTENDED = "trust-bundle.intended"
    TRUST_BUNDLE_ISSUED = "trust-bundle.issued"
    SERVICE_AUTHORITY_INTENDED = "service-authority-certificate.intended"
    SERVICE_AUTHORITY_ISSUED = "service-authority-certificate.issued"
    SERVICE_INTENDED = "service-certificate.intended"
    SERVICE_ISSUED = "service-certificate.issued"
    SERVICE_REVOKED = "service.revoked"
    SERVICE_CRL_INTENDED = "service-crl.intended"
    SERVICE_CRL_ISSUED = "service-crl.issued"
    SECURITY_OBJECT_SIGNED = "security-object.signed"
    CV_CERTIFICATE_INTENDED = "cv-certificate.intended"
    CV_CERTIFICATE_ISSUED = "cv-certificate.issued"
    TERMINAL_BLOCKED = "terminal.blocked"
    TERMINAL_REQUEST_INTENDED = "terminal-request.intended"
    TERMINAL_REQUEST_MADE = "terminal-request.made"
    OPERATOR_ROOT_INTENDED = "operator-root.intended"
    OPERATOR_ROOT_ISSUED = "operator-root.issued"
    OPERATOR_INTENDED = "operator-certificate.intended"
    OPERATOR_ENROLLED = "operator-certificate.issued"
    OPERATOR_REVOKED = "operator.revoked"
    CREDENTIAL_CHALLENGED = "operator-credential.challenged"
    CREDENTIAL_ENROLLED = "operator-credential.enrolled"
    CREDENTIAL_REVOKED = "operator-credential.revoked"
    AUTHORISATION_ACCEPTED = "authorisation.accepted"
    MASTER_KEY_INTENDED = "master-key.intended"
    MASTER_KEY_CREATED = "master-key.created"
    MASTER_KEY_RETIREMENT_INTENDED = "master-key.retirement-intended"
    MASTER_KEY_RETIRED = "master-key.retired"
    CHIP_KEYS_WRAPPED = "chip-keys.wrapped"
    JOURNAL_HEAD_NOTED = "journal-head.noted"
    LOG_STARTED = "log.started"
    REQUEST_TAKEN = "request.taken"
    CHECKPOINT_INTENDED = "checkpoint.intended"
    CEREMONY_BEGUN = "ceremony.begun"
    QUORUM_CHOSEN = "quorum.chosen"
    QUORUM_SET = "quorum.set"
    TRANSCRIPT_INTENDED = "ceremony-transcript.intended"
    HOME_RESTORED = "home.restored"
    SNAPSHOT_TAKEN = "snapshot.taken"


SIGNATURE_KINDS = frozenset(
    kind.value
    for kind in (
        EntryKind.AUTHORITY_INTENDED,
        EntryKind.LINK_INTENDED,
        EntryKind.SIGNER_INTENDED,
        EntryKind.CRL_INTENDED,
        EntryKind.STOP_LIST_INTENDED,
        EntryKind.MASTER_LIST_INTENDED,
        EntryKind.STATUS_LIST_INTENDED,
        EntryKind.STATUS_JWT_INTENDED,
        EntryKind.TRUST_BUNDLE_INTENDED,
        EntryKind.SERVICE_AUTHORITY_INTENDED,
        EntryKind.SERVICE_INTENDED,
        EntryKind.SERVICE_CRL_INTENDED,
        EntryKind.SECURITY_OBJECT_SIGNED,
        EntryKind.CV_CERTIFICATE_INTENDED,
        EntryKind.TERMINAL_REQUEST_INTENDED,
        EntryKind.OPERATOR_ROOT_INTENDED,
        EntryKind.OPERATOR_INTENDED,
        EntryKind.JOURNAL_HEAD_NOTED,
        EntryKind.CHECKPOINT_INTENDED,
        EntryKind.TRANSCRIPT_INTENDED,
        EntryKind.HOME_RESTORED,
    )
)
"""The entries that announce a signature, begin an epoch of the log or note another journal's head: each has a leaf."""


FOLDED_KINDS = frozenset({EntryKind.SECURITY_OBJECT_SIGNED.value})
"""The entries of which there are millions: snapshots hold what they add up to, and not where they stand."""
