"""Errors of the PKI, split by what a caller can do.

    PkiError
    ├── PkiDataError      bytes from outside are not what the standard says: do not trust them
    ├── PkiRefusedError   well-formed, but a policy, a limit or a missing right says no: nothing was done
    ├── KeystoreError     a key or the token that holds it is not usable: mend the keystore, then retry
    └── RecordError       the journal or the state built from it is broken: stop signing, investigate

Every error carries a stable dotted ``code``; docs/codes.md explains each of them. ``exit_code`` is the
exit status that a command line gives for it: 1 refused, 2 could not read or do.
"""

__all__ = ["KeystoreError", "PkiDataError", "PkiError", "PkiRefusedError", "RecordError"]


class PkiError(Exception):
    """Anything that keys, certificates and signatures can fail with; ``code`` is stable, the text is for people."""

    default_code = "pki.error"
    exit_code = 2

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code if code is not None else self.default_code
        self.hint = hint


class PkiDataError(PkiError):
    """Bytes that break the standard: wrong structure, encoding, algorithm or bound."""

    default_code = "pki.malformed"


class PkiRefusedError(PkiError):
    """A rule says no: trust, validity, revocation, a limit, or a request made twice."""

    default_code = "pki.refused"
    exit_code = 1


class KeystoreError(PkiError):
    """A keystore cannot be opened, or lacks a key, or holds one that must not be used."""

    default_code = "keystore.failed"


class RecordError(PkiError):
    """The journal is damaged, locked by another process, or contradicts what it is asked to record."""

    default_code = "record.broken"
