"""Two keystores that look like one: the root's, which a quorum opens in a ceremony, and the one for every day.

The CSCA's keys lie in the root's; everything else, such as the keys of document signers, in the other. While the root's is closed, whatever
would need one of its keys is refused before anything is done.
"""

import re
from typing import Final

from card_layout.curves import NamedCurve
from pki.errors import PkiRefusedError
from pki.keys.keystore import Keystore
from pki.keys.signer import Signer

__all__ = ["DividedKeystore"]

_ROOT_KEY: Final = re.compile(r"csca-[0-9]+")


class DividedKeystore:
    """A ``Keystore`` over both; ``root`` is ``None`` outside ceremonies, or until the quorum has opened it."""

    def __init__(self, everyday: Keystore, *, root: Keystore | None = None) -> None:
        self._everyday = everyday
        self._root = root

    def open_root(self, root: Keystore) -> None:
        """Take the root's keystore in, for as long as this one is open."""
        if self._root is not None:
            self._root.close()
        self._root = root

    def create_signing_key(self, *, key_id: str, curve: NamedCurve) -> None:
        """See ``Keystore``."""
        self._of(key_id).create_signing_key(key_id=key_id, curve=curve)

    def create_rsa_signing_key(self, *, key_id: str, bits: int) -> None:
        """See ``Keystore``."""
        self._of(key_id).create_rsa_signing_key(key_id=key_id, bits=bits)

    def signer(self, key_id: str) -> Signer:
        """See ``Keystore``."""
        return self._of(key_id).signer(key_id)

    def create_master_key(self, *, key_id: str) -> None:
        """See ``Keystore``."""
        self._of(key_id).create_master_key(key_id=key_id)

    def import_master_key(self, *, key_id: str, value: bytes) -> None:
        """See ``Keystore``."""
        self._of(key_id).import_master_key(key_id=key_id, value=value)

    def derive(self, key_id: str, *, label: bytes, context: bytes, length: int) -> bytes:
        """See ``Keystore``."""
        return self._of(key_id).derive(key_id, label=label, context=context, length=length)

    def key_ids(self) -> tuple[str, ...]:
        """The keys that can be reached now."""
        root = () if self._root is None else self._root.key_ids()
        return tuple(sorted({*self._everyday.key_ids(), *root}))

    def destroy(self, key_id: str) -> None:
        """See ``Keystore``."""
        self._of(key_id).destroy(key_id)

    def close(self) -> None:
        """Let go of both."""
        self._everyday.close()
        if self._root is not None:
            self._root.close()
            self._root = None

    def _of(self, key_id: str) -> Keystore:
        """Where a key lies, or will.

        Raises:
            PkiRefusedError: ``ceremony.required``.
        """
        if not _ROOT_KEY.fullmatch(key_id):
            return self._everyday
        if self._root is None:
            raise PkiRefusedError(
                f"key {key_id} is opened by the root's quorum alone",
                code="ceremony.required",
                hint="membercard-pki ceremony crl, signer, rollover or destroy",
            )
        return self._root
