"""The signer process put together: lock, journal, keys in a process of their own, socket, loop."""

import contextlib
import os
import secrets
import socket
import stat
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pki.card_verifiable.authorisation import Role
from pki.certificates.profile import ProfileKind
from pki.errors import PkiError, PkiRefusedError, RecordError
from pki.home import Home
from pki.keys.token_process import TokenProcess
from pki.services.cv_issuer import CvIssuer
from pki.services.document_signer import InProcessDocumentSigner, SigningLimits
from pki.services.issuance import IssuanceCycle
from pki.services.journal_heads import JournalHeadService
from pki.services.log_keeper import LogKeeper
from pki.services.open_record import OpenRecord, open_record
from pki.services.recorder import Recorder
from pki.services.rule_linter import RuleLinter
from pki.services.status_lists import ServedAuthority, ServedKeys, StatusListService
from pki.services.terminals import TerminalService
from pki.signer_service.desk import Desk
from pki.signer_service.server import ServerLimits, SignerServer

__all__ = ["open_listener", "serve_signer"]

_LOCK_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 0.05
_MAX_PATH_BYTES: Final = 107
"""What fits into ``sockaddr_un``."""


def serve_signer(
    home: Home,
    socket_path: Path,
    *,
    pin_file: Path | None,
    allowed_uids: frozenset[int],
    on_ready: Callable[[SignerServer, tuple[str, ...]], None],
    limits: SigningLimits | None = None,
    server_limits: ServerLimits | None = None,
) -> None:
    """Own the home's journal and keys, and sign what clients ask for, until the server is told to stop.

    Args:
        home: the authority's home.
        socket_path: where the Unix socket is made.
        pin_file: the keystore's PIN; ``None`` for the file that the home remembers.
        allowed_uids: users whose processes are served.
        on_ready: is called with the server and the signers' identifiers when clients can connect.
        limits: how much each signer may sign.
        server_limits: what clients may take.

    Raises:
        RecordError: ``home.missing``, ``record.locked``, ``record.damaged``, ``signer.socket-unusable``, or the
            journal failed.
        KeystoreError: the PIN or the keystore is wrong, or the keys' process ended.
        PkiRefusedError: ``signer.unknown``: there is no signer; ``signer.socket-in-use``.
    """
    pin = home.read_pin(pin_file)
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(_open_journal(home))
        state = journal.state
        # The keys' process inherits the lock: should this one be killed, nobody opens the token before that has ended.
        keys = stack.enter_context(
            TokenProcess(home.keystore, pin=pin, inherited=(journal.fileno(),))
        )
        recorder = Recorder(journal=journal, state=state, now=lambda: datetime.now(UTC))
        signers = {
            record.signer_id: InProcessDocumentSigner(
                record=record,
                signer=keys.signer(record.signer_id),
                recorder=recorder,
                limits=limits,
            )
            for record in state.signers.values()
            # Lists have signers, too, and a key at the end of its use was destroyed: neither is served here.
            if record.kind is ProfileKind.DOCUMENT_SIGNER
            and record.certificate is not None
            and record.revoked_at is None
            and record.destroyed_at is None
            and record.retired_at is None
        }
        verifiers = state.card_verifiable.issued(role=Role.DOCUMENT_VERIFIER)
        issuer = CvIssuer(keystore=None, signing_keys=keys, recorder=recorder, publication=home)
        keeper = LogKeeper(
            keystore=None, signing_keys=keys, recorder=recorder, log=journal.log, shelf=home
        )
        if not signers and not verifiers:
            raise PkiRefusedError(
                "there is no document signer to sign with",
                code="signer.unknown",
                hint="membercard-pki signer create --id ds-1",
            )
        listener = stack.enter_context(open_listener(socket_path))
        stack.callback(_remove, socket_path)
        server = SignerServer(
            listener,
            desk=Desk(
                recorder=recorder,
                signers=signers,
                keys=keys,
                terminals=TerminalService(issuer) if verifiers else None,
                heads=JournalHeadService(recorder=recorder, keeper=keeper, log=journal.log),
                status_lists=StatusListService(
                    ServedAuthority(
                        recorder=recorder,
                        keys=ServedKeys(keys=keys),
                        cycle=IssuanceCycle(
                            recorder=recorder,
                            random_bytes=secrets.token_bytes,
                            linter=RuleLinter(),
                        ),
                    ),
                    home,
                ),
            ),
            keys_descriptor=keys.fileno(),
            allowed_uids=allowed_uids,
            monotonic=time.monotonic,
            limits=server_limits,
        )
        on_ready(server, tuple(sorted(signers)))
        server.serve()


def open_listener(path: Path, *, is_for_group: bool = False) -> socket.socket:
    """A listening Unix socket of mode 0600 in a directory of mode 0700, which is made if absent.

    Where it is for a group as well, the socket has mode 0660 and the directory may be open to its group (0750).

    Raises:
        RecordError: ``signer.socket-unusable``.
        PkiRefusedError: ``signer.socket-in-use``: somebody listens there.
    """
    if not hasattr(socket, "SO_PEERCRED"):
        raise _unusable(path, "this system does not tell who a client is")
    if len(os.fsencode(path)) > _MAX_PATH_BYTES:
        raise _unusable(path, f"the path has more than {_MAX_PATH_BYTES} bytes")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _prepare_directory(path, closed_to=0o027 if is_for_group else 0o077)
        _remove_stale(path)
        listener.bind(str(path))
        path.chmod(0o660 if is_for_group else 0o600)
        listener.listen(64)
    except OSError as error:
        listener.close()
        raise _unusable(path, error.strerror or "unknown") from error
    except PkiError:
        listener.close()
        raise
    return listener


def _open_journal(home: Home) -> OpenRecord:
    """Open the journal; what a killed signer left behind ends by itself, and is waited for."""
    home.settings()
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            return open_record(home)
        except RecordError as error:
            if error.code != "record.locked" or time.monotonic() > deadline:
                raise
        time.sleep(_RETRY_SECONDS)


def _prepare_directory(path: Path, *, closed_to: int) -> None:
    directory = path.parent
    if not directory.exists():
        directory.mkdir(parents=True, mode=0o700)
    found = directory.stat()
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & closed_to:
        raise _unusable(
            path,
            f"its directory has mode {stat.S_IMODE(found.st_mode):04o} and owner {found.st_uid}, "
            f"expected {0o777 & ~closed_to:04o} and {os.geteuid()}",
        )


def _remove_stale(path: Path) -> None:
    """A killed signer leaves its socket behind; one that answers belongs to a signer that lives."""
    if not path.exists():
        return
    if not path.is_socket():
        raise _unusable(path, "there is something that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise PkiRefusedError(f"another signer listens at {path}", code="signer.socket-in-use")


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _unusable(path: Path, reason: str) -> RecordError:
    return RecordError(f"socket {path} cannot be made: {reason}", code="signer.socket-unusable")
