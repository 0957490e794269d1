"""The signer process's socket: many clients, one thread, nobody waits for a client that hangs.

One loop reads frames, has orders recorded together, sends answers. Every client has bounds of its own: bytes read,
requests under way, time to finish a frame or to take an answer.
"""

import contextlib
import selectors
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from pki.errors import KeystoreError, PkiDataError, PkiError, PkiRefusedError
from pki.signer_service.desk import Desk, Order
from pki.signer_service.frames import LENGTH_BYTES, ProtocolError, frame, frame_length, write_error
from pki.signer_service.protocol import (
    MAX_REQUEST_BYTES,
    AuthoriseRequest,
    NoteHeadRequest,
    RenewRequest,
    WrapRequest,
    read_request,
    write_noted,
    write_renewed,
    write_signed,
    write_wrapped,
)
from pki.signer_service.status_protocol import IssueStatusRequest, write_issued_status

__all__ = ["ServerLimits", "SignerServer"]

_READ_BYTES: Final = 256 * 1024
_CREDENTIALS: Final = struct.Struct("3i")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """What one client, and all of them, may take."""

    clients: int = 64
    requests_under_way: int = 2
    cards_together: int = 1000
    frame_seconds: float = 10.0
    answer_seconds: float = 30.0
    idle_seconds: float = 600.0


@dataclass(eq=False, slots=True, kw_only=True)
class _Errand:
    """What is done alone, between the cards, and the answer once there is one.

    A terminal's renewal, a journal's head, a status list.
    """

    request: RenewRequest | NoteHeadRequest | IssueStatusRequest = field(repr=False)
    answer: bytes | None = field(default=None, repr=False)


@dataclass(eq=False, slots=True, kw_only=True)
class _Client:
    """One connection: what came in, what is under way in order, what has to go out."""

    socket: socket.socket
    since: float
    received: bytearray = field(default_factory=bytearray)
    under_way: "deque[Order | _Errand | bytes]" = field(default_factory=deque)
    outgoing: bytearray = field(default_factory=bytearray)
    is_closing: bool = False


class SignerServer:
    """Serves a listening socket until it is told to stop."""

    def __init__(
        self,
        listener: socket.socket,
        *,
        desk: Desk,
        keys_descriptor: int,
        allowed_uids: frozenset[int],
        monotonic: Callable[[], float],
        limits: ServerLimits | None = None,
    ) -> None:
        """Bind the desk to a socket that listens.

        Args:
            listener: a Unix socket that listens.
            desk: who judges, records and signs.
            keys_descriptor: is readable when the desk's ``collect`` will not wait.
            allowed_uids: users whose processes are served.
            monotonic: a clock in seconds.
            limits: ``None`` for the defaults.
        """
        self._listener = listener
        self._desk = desk
        self._allowed_uids = allowed_uids
        self._monotonic = monotonic
        self._limits = limits if limits is not None else ServerLimits()
        self._clients: dict[int, _Client] = {}
        self._owner: dict[Order, _Client] = {}
        self._waiting: deque[Order] = deque()
        self._errands: deque[tuple[_Client, _Errand]] = deque()
        self._is_stopping = False
        self._bell, self._bell_push = socket.socketpair()
        for each in (listener, self._bell, self._bell_push):
            each.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._bell, selectors.EVENT_READ, self._hear_bell)
        self._selector.register(keys_descriptor, selectors.EVENT_READ, self._collect)

    def stop(self, *_signal: object) -> None:
        """Finish what is recorded, then end ``serve``; may be called from a signal handler or another thread."""
        self._is_stopping = True
        with contextlib.suppress(OSError):
            self._bell_push.send(b"\x00")

    def serve(self) -> None:
        """Serve until ``stop``.

        Raises:
            RecordError, KeystoreError: journal or keys failed; every client that waited was told.
        """
        try:
            while not self._is_stopping or self._desk.is_working:
                # Orders that waited behind a refused one must not wait for the next event as well.
                may_record = bool(self._waiting) and self._desk.wants_orders
                for key, events in self._selector.select(0 if may_record else 1.0):
                    self._dispatch(key.data, events)
                if self._errands:
                    # They are few, and go before new orders: those that are with the keys end soon.
                    self._run_errands()
                elif self._waiting and self._desk.wants_orders and not self._is_stopping:
                    self._record()
                self._drop_overdue()
        except PkiError as error:
            self._tell_everybody(error)
            raise
        finally:
            self._close()

    def _dispatch(self, target: Any, events: int) -> None:
        if not isinstance(target, _Client):
            target()
            return
        if events & selectors.EVENT_WRITE:
            self._write(target)
        if events & selectors.EVENT_READ and target.socket.fileno() >= 0:
            self._read(target)

    def _hear_bell(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._bell.recv(1024)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            # The client has gone already, or there are no descriptors left: others are served on.
            return
        connection.setblocking(False)
        client = _Client(socket=connection, since=self._monotonic())
        refusal = self._refusal(connection)
        if refusal is not None:
            with contextlib.suppress(OSError):
                connection.send(frame(write_error(refusal)))
            connection.close()
            return
        self._clients[connection.fileno()] = client
        self._selector.register(connection, selectors.EVENT_READ, client)

    def _refusal(self, connection: socket.socket) -> PkiRefusedError | None:
        packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _process, uid, _group = _CREDENTIALS.unpack(packed)
        if uid not in self._allowed_uids:
            return PkiRefusedError(
                f"user {uid} may not use this signer", code="protocol.peer-refused"
            )
        if len(self._clients) >= self._limits.clients:
            return PkiRefusedError(
                f"{len(self._clients)} clients are connected, which is the limit",
                code="protocol.too-many-clients",
                hint="try again later",
            )
        return None

    def _read(self, client: _Client) -> None:
        try:
            content = client.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            content = b""
        if not content:
            self._drop(client)
            return
        client.since = client.since if client.received else self._monotonic()
        client.received += content
        self._advance(client)

    def _advance(self, client: _Client) -> None:
        """Take in whole frames and send what is done, until neither moves on.

        Answers make room for frames that came long ago, and no event will tell of those again.
        """
        is_moving = True
        while is_moving and client.socket.fileno() >= 0:
            is_moving = self._take_frames(client)
            is_moving |= self._answer(client)

    def _take_frames(self, client: _Client) -> bool:
        """Take in whole frames, as many as one client may have under way; whether there was any."""
        is_taken = False
        try:
            while (
                len(client.under_way) < self._limits.requests_under_way
                and len(client.received) >= LENGTH_BYTES
                and not client.is_closing
            ):
                length = frame_length(client.received, maximum=MAX_REQUEST_BYTES)
                if len(client.received) < LENGTH_BYTES + length:
                    break
                content = bytes(client.received[LENGTH_BYTES : LENGTH_BYTES + length])
                del client.received[: LENGTH_BYTES + length]
                client.since = self._monotonic()
                self._take(client, content)
                is_taken = True
        except ProtocolError as error:
            # Where one frame ends wrongly, nobody knows where the next begins.
            client.is_closing = True
            client.received.clear()
            client.under_way.append(write_error(error))
        return is_taken

    def _take(self, client: _Client, content: bytes) -> None:
        request = read_request(content)
        if isinstance(request, AuthoriseRequest):
            try:
                client.under_way.append(self._desk.authorise(request.authorisation).to_bytes())
            except (PkiRefusedError, PkiDataError) as error:
                client.under_way.append(write_error(error))
            return
        if isinstance(request, RenewRequest | NoteHeadRequest | IssueStatusRequest):
            errand = _Errand(request=request)
            client.under_way.append(errand)
            self._errands.append((client, errand))
            return
        order = Order(request=request)
        client.under_way.append(order)
        self._owner[order] = client
        self._waiting.append(order)

    def _record(self) -> None:
        """Record what waits, up to a bound, with one write."""
        orders: list[Order] = []
        cards = 0
        while self._waiting:
            cards += self._waiting[0].size
            if orders and cards > self._limits.cards_together:
                break
            order = self._waiting.popleft()
            if self._owner[order].socket.fileno() < 0:
                # Nobody waits for it any more, and nothing of it is on record: it never was.
                del self._owner[order]
            else:
                orders.append(order)
        self._desk.record(orders)
        for order in orders:
            if order.answer is not None:
                self._answered(order)

    def _run_errands(self) -> None:
        """Do what is done alone, once the keys of signers are idle."""
        while self._errands and not self._desk.is_working:
            client, errand = self._errands.popleft()
            if client.socket.fileno() < 0:
                # Nobody waits for it any more, and nothing of it is on record.
                continue
            try:
                errand.answer = self._run(errand.request)
            except (PkiRefusedError, PkiDataError, KeystoreError) as error:
                errand.answer = write_error(error)
                if error.code == "keystore.process-failed":
                    raise
            client.since = self._monotonic()
            self._advance(client)

    def _run(self, request: RenewRequest | NoteHeadRequest | IssueStatusRequest) -> bytes:
        if isinstance(request, RenewRequest):
            return write_renewed(self._desk.renew(request.request))
        if isinstance(request, NoteHeadRequest):
            return write_noted(self._desk.note_head(request.head))
        return write_issued_status(self._desk.issue_status(request.states, days=request.days))

    def _collect(self) -> None:
        self._answered(self._desk.collect())

    def _answered(self, order: Order) -> None:
        client = self._owner.pop(order)
        if client.socket.fileno() < 0:
            # The client has gone; the record says what was signed for it.
            return
        client.since = self._monotonic()
        self._advance(client)

    def _answer(self, client: _Client) -> bool:
        """Send what is done, in the order of asking; whether there was any."""
        is_answered = False
        while client.under_way:
            first = client.under_way[0]
            if isinstance(first, bytes):
                content = first
            elif first.answer is None:
                break
            elif isinstance(first, _Errand):
                content = first.answer
            elif isinstance(first.answer, PkiError):
                content = write_error(first.answer)
            elif isinstance(first.request, WrapRequest):
                content = write_wrapped(first.answer[0])
            else:
                content = write_signed(first.answer)
            client.under_way.popleft()
            client.outgoing += frame(content)
            is_answered = True
        self._write(client)
        return is_answered

    def _write(self, client: _Client) -> None:
        if client.outgoing:
            try:
                sent = client.socket.send(client.outgoing)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._drop(client)
                return
            if sent:
                del client.outgoing[:sent]
                client.since = self._monotonic()
        if client.is_closing and not client.outgoing and not client.under_way:
            self._drop(client)
            return
        self._listen_to(client)

    def _listen_to(self, client: _Client) -> None:
        """Read only what can be taken, so that a client's own bounds hold it back."""
        is_full = len(client.under_way) >= self._limits.requests_under_way or client.outgoing
        events = 0 if is_full or client.is_closing else selectors.EVENT_READ
        if client.outgoing:
            events |= selectors.EVENT_WRITE
        registered = self._selector.get_map().get(client.socket.fileno())
        if registered is None and events:
            self._selector.register(client.socket, events, client)
        elif registered is not None and not events:
            self._selector.unregister(client.socket)
        elif registered is not None and registered.events != events:
            self._selector.modify(client.socket, events, client)

    def _drop_overdue(self) -> None:
        now = self._monotonic()
        for client in list(self._clients.values()):
            if client.outgoing:
                patience = self._limits.answer_seconds
            elif client.under_way:
                continue
            else:
                patience = (
                    self._limits.frame_seconds if client.received else self._limits.idle_seconds
                )
            if now - client.since > patience:
                self._drop(client)

    def _drop(self, client: _Client) -> None:
        descriptor = client.socket.fileno()
        if descriptor < 0:
            return
        with contextlib.suppress(KeyError):
            self._selector.unregister(client.socket)
        del self._clients[descriptor]
        client.socket.close()

    def _tell_everybody(self, error: PkiError) -> None:
        """Before the process ends: whoever waits learns why, if there is room to tell."""
        for client in list(self._clients.values()):
            if client.under_way:
                client.outgoing += frame(write_error(error))
                with contextlib.suppress(OSError):
                    client.socket.send(client.outgoing)

    def _close(self) -> None:
        for client in list(self._clients.values()):
            with contextlib.suppress(OSError):
                # The last answers were given: they must leave before the connection does.
                client.socket.settimeout(1.0)
                client.socket.sendall(client.outgoing)
            self._drop(client)
        self._selector.close()
        self._bell.close()
        self._bell_push.close()
        self._listener.close()
