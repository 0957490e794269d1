"""The PKCS#11 library of this process: loaded once, turned to one token directory at a time.

SoftHSM reads its configuration when it is initialised, from an environment variable, and there is one library a
process. Keystores of several homes share it: whoever is used next gets it turned to its own directory, which
ends the other's session and takes two milliseconds. One lock serialises everything, because python-pkcs11
does not survive two threads.
"""

import ctypes
import os
import secrets
from pathlib import Path
from threading import RLock
from typing import Any, Final

from pki.errors import KeystoreError

__all__ = ["SOFTHSM_MODULES", "TOKEN_LOCK", "TokenSession", "find_softhsm", "initialise_token"]

SOFTHSM_MODULES: Final = (
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"),
    Path("/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so"),
    Path("/usr/lib64/libsofthsm2.so"),
    Path("/usr/local/lib/softhsm/libsofthsm2.so"),
    Path("/opt/homebrew/lib/softhsm/libsofthsm2.so"),
)
"""Where the distributions put SoftHSM2."""

TOKEN_LOCK: Final = RLock()
"""Held around every call into the library."""

_LABEL_BYTES: Final = 32
_CONFIGURATION_VARIABLE: Final = "SOFTHSM2_CONF"

_active: "list[TokenSession]" = []
"""The one session that the library is turned to now, if any."""


class TokenSession:
    """A logged-in session with one token, opened again whenever the library was turned elsewhere."""

    def __init__(
        self, *, module: Path, token_label: str, pin: str, configuration: Path | None
    ) -> None:
        """Name the token; it is opened when it is first used.

        Args:
            module: the PKCS#11 library.
            token_label: the token's label.
            pin: the user's PIN.
            configuration: SoftHSM's configuration file; ``None`` for tokens that need none.
        """
        self._module = module
        self._token_label = token_label
        self._pin = pin
        self._configuration = configuration
        self._session: Any = None
        self._is_closed = False
        self.generation = 0

    def get(self) -> Any:
        """The open session; the caller holds ``TOKEN_LOCK``, and compares ``generation`` before using old handles.

        Raises:
            KeystoreError: ``keystore.closed``, ``keystore.pin-wrong``, ``keystore.missing``, ``keystore.failed``.
        """
        if self._is_closed:
            raise KeystoreError("the keystore is closed", code="keystore.closed")
        if self._session is None or _active != [self]:
            self._open()
        return self._session

    def close(self) -> None:
        """Log out and forget the PIN; closing twice is harmless."""
        with TOKEN_LOCK:
            self._is_closed = True
            self._pin = ""
            if _active == [self]:
                _turn(self._module, None)
            self._session = None

    def forget(self) -> None:
        """The library was turned elsewhere: every handle is void."""
        self._session = None

    def _open(self) -> None:
        import pkcs11  # noqa: PLC0415 - the extra [hsm] is not there where cards are only verified

        library = _turn(self._module, self._configuration)
        try:
            token = library.get_token(token_label=self._token_label)
            self._session = token.open(rw=True, user_pin=self._pin)
        except pkcs11.NoSuchToken as error:
            raise KeystoreError(
                f"there is no token {self._token_label!r}", code="keystore.missing"
            ) from error
        except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange) as error:
            raise KeystoreError(
                f"the PIN does not open token {self._token_label!r}", code="keystore.pin-wrong"
            ) from error
        except pkcs11.PKCS11Error as error:
            raise KeystoreError(
                f"token {self._token_label!r} cannot be opened: {type(error).__name__}"
            ) from error
        _active[:] = [self]
        self.generation += 1


def find_softhsm() -> Path | None:
    """The SoftHSM2 library of this machine, where python-pkcs11 can be imported as well."""
    try:
        import pkcs11  # noqa: F401, PLC0415 - only whether it is there matters
    except ImportError:
        return None
    return next((path for path in SOFTHSM_MODULES if path.is_file()), None)


def initialise_token(*, module: Path, configuration: Path, token_label: str, pin: str) -> None:
    """Make a new token in the directory that the configuration names.

    The security officer's PIN is drawn here and forgotten: all that it could do is to erase the token or give
    it a new user PIN.

    Raises:
        KeystoreError: the library refused.
    """
    import pkcs11  # noqa: PLC0415 - see above

    officer_pin = secrets.token_hex(16)
    with TOKEN_LOCK:
        try:
            library = _turn(module, configuration)
            slot = library.get_slots()[-1]
            # python-pkcs11 has no C_InitToken; the loader gives the same library, initialised already.
            result = ctypes.CDLL(str(module)).C_InitToken(
                ctypes.c_ulong(slot.slot_id),
                officer_pin.encode(),
                ctypes.c_ulong(len(officer_pin)),
                token_label.encode().ljust(_LABEL_BYTES),
            )
            if result != 0:
                raise KeystoreError(f"the token cannot be initialised: error {result:#x}")
            library = _turn(module, configuration)
            session = library.get_token(token_label=token_label).open(rw=True, so_pin=officer_pin)
            session.init_pin(pin)
            session.close()
        except pkcs11.PKCS11Error as error:
            raise KeystoreError(
                f"token {token_label!r} cannot be made: {type(error).__name__}"
            ) from error


def _turn(module: Path, configuration: Path | None) -> Any:
    """Initialise the library anew under this configuration; every session so far is over."""
    import pkcs11  # noqa: PLC0415 - see above

    for session in _active:
        session.forget()
    _active.clear()
    if configuration is not None:
        os.environ[_CONFIGURATION_VARIABLE] = str(configuration)
    try:
        library = pkcs11.lib(str(module))
        library.reinitialize()
    except (pkcs11.PKCS11Error, RuntimeError, OSError) as error:
        raise KeystoreError(
            f"PKCS#11 library {module} cannot be loaded", code="keystore.module-unusable"
        ) from error
    return library
