"""Making and opening a keystore in a directory that tells what kind it is.

``keystore.json`` stands in a keystore of encrypted files; ``token.json``, ``softhsm2.conf`` and ``tokens/`` in
one with a SoftHSM2 token.
"""

import json
import os
import secrets
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pki.durable import create_file, replace_file
from pki.errors import KeystoreError
from pki.keys.keystore import AgreementKeystore
from pki.keys.software import SoftwareKeystore
from pki.keys.token_library import find_softhsm

if TYPE_CHECKING:
    from pki.keys.token_keystore import TokenKeystore

__all__ = [
    "KeystoreKind",
    "change_pin",
    "create_keystore",
    "create_pin_file",
    "keystore_warning",
    "open_keystore",
    "read_pin_file",
]

_FORMAT: Final = 1
_DESCRIPTION: Final = "token.json"
_LABEL: Final = "membercard"
_MAX_PIN_CHARACTERS: Final = 255
_MIN_PIN_CHARACTERS: Final = 8
_MAX_FILE_BYTES: Final = 4096


class KeystoreKind(Enum):
    """Where keys live; ``AUTO`` is a token where SoftHSM2 and python-pkcs11 are found, else encrypted files."""

    AUTO = "auto"
    PKCS11 = "pkcs11"
    FILE = "file"


def create_keystore(directory: Path, *, kind: KeystoreKind, pin: str) -> AgreementKeystore:
    """Make a keystore in a directory that has none.

    Raises:
        KeystoreError: ``keystore.exists``, ``keystore.no-token-library``, or it cannot be made.
    """
    _check_pin(pin)
    if _is_token(directory) or (directory / "keystore.json").exists():
        raise KeystoreError(f"there is a keystore in {directory} already", code="keystore.exists")
    module = None if kind is KeystoreKind.FILE else find_softhsm()
    if module is not None:
        return _create_token(directory.resolve(), module=module, pin=pin)
    if kind is KeystoreKind.PKCS11:
        raise KeystoreError(
            "SoftHSM2 or python-pkcs11 was not found",
            code="keystore.no-token-library",
            hint="install softhsm2 and the extra membercard[hsm], or choose another keystore",
        )
    return SoftwareKeystore.create(directory, passphrase=pin.encode())


def open_keystore(directory: Path, *, pin: str) -> AgreementKeystore:
    """Open the keystore in a directory, whatever its kind.

    Raises:
        KeystoreError: ``keystore.missing``, ``keystore.pin-wrong``, ``keystore.passphrase-wrong``,
            ``keystore.no-token-library``, or it is damaged.
    """
    if not _is_token(directory):
        return SoftwareKeystore(directory, passphrase=pin.encode())
    directory = directory.resolve()
    module, token_label = _read_token_file(directory / _DESCRIPTION)
    return _token_keystore()(
        module=module,
        token_label=token_label,
        pin=pin,
        configuration=_correct_configuration(directory),
        token_directory=directory / "tokens",
    )


def change_pin(directory: Path, *, old: str, new: str) -> None:
    """Let another PIN open a keystore; a crash leaves it opened by exactly one of the two.

    Raises:
        KeystoreError: as ``open_keystore``, or it cannot be changed.
    """
    _check_pin(new)
    if not _is_token(directory):
        SoftwareKeystore.change_passphrase(directory, old=old.encode(), new=new.encode())
        return
    directory = directory.resolve()
    module, token_label = _read_token_file(directory / _DESCRIPTION)
    keystore = _token_keystore()(
        module=module,
        token_label=token_label,
        pin=old,
        configuration=_correct_configuration(directory),
        token_directory=directory / "tokens",
    )
    try:
        keystore.change_pin(old=old, new=new)
    finally:
        keystore.close()


def keystore_warning(directory: Path) -> str | None:
    """What people must know of a keystore, if anything."""
    if _is_token(directory):
        return None
    return "the keys are in encrypted files, which is for development: anyone with the PIN can copy them"


def create_pin_file(path: Path) -> str:
    """The PIN in a file; the file is made with a random PIN and mode 0600 where it is not there yet.

    Raises:
        KeystoreError: ``keystore.pin-file``.
    """
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            create_file(path, secrets.token_hex(16).encode() + b"\n")
        except FileExistsError:
            # Somebody else made it a moment ago: theirs is as good.
            return read_pin_file(path)
        except OSError as error:
            raise _pin_file(f"PIN file {path} cannot be written: {error.strerror}") from error
    return read_pin_file(path)


def read_pin_file(path: Path) -> str:
    """The PIN: the first and only line of a file that nobody else can read.

    Raises:
        KeystoreError: ``keystore.pin-file``.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES)
            mode = os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise _pin_file(f"PIN file {path} cannot be read: {error.strerror}") from error
    if os.name == "posix" and mode & 0o077:
        raise _pin_file(
            f"PIN file {path} has mode {mode & 0o777:04o}, expected nobody but its owner to have rights",
            hint=f"chmod 600 {path}",
        )
    try:
        pin = content.decode("ascii").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise _pin_file(f"PIN file {path} is not ASCII text") from error
    _check_pin(pin)
    return pin


def _check_pin(pin: str) -> None:
    if not (
        _MIN_PIN_CHARACTERS <= len(pin) <= _MAX_PIN_CHARACTERS
        and pin.isascii()
        and pin.isprintable()
    ):
        raise _pin_file(
            f"the PIN has {len(pin)} characters, expected one line of {_MIN_PIN_CHARACTERS} to "
            f"{_MAX_PIN_CHARACTERS} printable ASCII characters"
        )


def _token_keystore() -> "type[TokenKeystore]":
    """The class for tokens; its library comes with an extra, and verifying cards must not need it.

    Raises:
        KeystoreError: ``keystore.no-token-library``.
    """
    try:
        from pki.keys.token_keystore import TokenKeystore  # noqa: PLC0415 - see above
    except ImportError as error:
        raise KeystoreError(
            "the keys are in a token, and python-pkcs11 is not installed",
            code="keystore.no-token-library",
            hint="install the extra membercard[hsm]",
        ) from error
    return TokenKeystore


def _is_token(directory: Path) -> bool:
    return (directory / _DESCRIPTION).exists()


def _create_token(directory: Path, *, module: Path, pin: str) -> AgreementKeystore:
    tokens = directory / "tokens"
    configuration = directory / "softhsm2.conf"
    try:
        tokens.mkdir(parents=True, mode=0o700)
        directory.chmod(0o700)
        create_file(configuration, _configuration_of(directory))
        keystore = _token_keystore().create(
            module=module,
            token_label=_LABEL,
            pin=pin,
            configuration=configuration,
            token_directory=tokens,
        )
        # Written last: a directory is a keystore once there is a token in it.
        description = {"format": _FORMAT, "module": str(module), "token_label": _LABEL}
        create_file(directory / _DESCRIPTION, json.dumps(description, indent=1).encode())
    except FileExistsError as error:
        raise KeystoreError(
            f"there is part of a keystore in {directory} already", code="keystore.exists"
        ) from error
    except OSError as error:
        raise KeystoreError(f"keystore {directory} cannot be written: {error.strerror}") from error
    return keystore


def _configuration_of(directory: Path) -> bytes:
    return (
        f"directories.tokendir = {directory / 'tokens'}\nobjectstore.backend = file\n"
        "objectstore.umask = 0077\nlog.level = ERROR\nslots.removable = false\n"
    ).encode()


def _correct_configuration(directory: Path) -> Path:
    """SoftHSM2 wants an absolute path: a home that was moved gets its configuration written anew."""
    path = directory / "softhsm2.conf"
    content = _configuration_of(directory)
    try:
        if not path.exists() or path.read_bytes() != content:
            replace_file(path, content)
    except OSError as error:
        raise KeystoreError(f"{path} cannot be written: {error.strerror}") from error
    return path


def _read_token_file(path: Path) -> tuple[Path, str]:
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_MAX_FILE_BYTES))
        if found["format"] != _FORMAT:
            raise KeystoreError(f"{path} is not of format {_FORMAT}", code="keystore.damaged")
        return Path(str(found["module"])), str(found["token_label"])
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        raise KeystoreError(f"{path} cannot be read", code="keystore.damaged") from error


def _pin_file(message: str, *, hint: str | None = None) -> KeystoreError:
    return KeystoreError(message, code="keystore.pin-file", hint=hint)
