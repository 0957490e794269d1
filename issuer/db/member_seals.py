"""What the register keeps of members that its database must not show: sealed columns and keyed digests."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from enum import StrEnum
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from issuer.db.base import Base, insert_unless_there
from issuer.db.sealing import Sealer
from issuer.domain.data_subjects import RetiredNumber
from issuer.domain.vietnamese_text import likeness
from issuer.errors import IssuerUnavailableError

__all__ = ["MemberSeals", "RegisterKeyRow", "RegisterKeys", "SealedChangeColumn", "SealedColumn"]

_CITIZEN_NUMBER_DIGEST: Final = "members.citizen_number_digest"
_LIKENESS_DIGEST: Final = "members.likeness_digest"
_RETIRED_NUMBER: Final = "retired_numbers.digest"
_KEY_CHECK: Final = "register_keys.key_check"
_THE_ONLY_ROW: Final = 1
_MARKED_HERE: Final = "membercard_register_marked_here"
_MOST_KEPT: Final = 20_000


class SealedColumn(StrEnum):
    """The columns of members that hold ciphertext; the value is what each is bound to."""

    CITIZEN_NUMBER = "members.citizen_number"
    PLACE_OF_BIRTH = "members.place_of_birth"
    HOME_TOWN = "members.home_town"
    RESIDENCE = "members.residence"
    PHONE = "members.phone"


class SealedChangeColumn(StrEnum):
    """The columns of a member's history that hold ciphertext."""

    REASON = "member_changes.reason"
    OLD = "member_changes.old"
    NEW = "member_changes.new"


class RegisterKeyRow(Base):
    """One row that tells whether the keystore at hand is the one whose keys sealed this register."""

    __tablename__ = "register_keys"
    __table_args__ = (sa.CheckConstraint("id = 1", name="only_row"),)

    id: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    key_check: Mapped[bytes] = mapped_column(sa.LargeBinary(32))


class MemberSeals:
    """Seals and opens single values; each opens only in the column and the row that it was sealed for."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._digests: dict[str, dict[str, bytes]] = {}

    @property
    def sealer(self) -> Sealer:
        """The register's keys, for what else it keeps of members."""
        return self._sealer

    def seal(
        self, column: SealedColumn | SealedChangeColumn, text: str | None, row: bytes
    ) -> bytes | None:
        """The ciphertext; nothing stays nothing.

        Args:
            column: where it will stand.
            text: what to seal.
            row: the row's whole key; a member's is ``member_id.bytes``.
        """
        if text is None:
            return None
        return self._sealer.seal(text.encode(), purpose=column.value, row=row)

    def seal_column(
        self, column: SealedColumn, texts: Iterable[str | None], rows: Sequence[bytes]
    ) -> list[bytes | None]:
        """The ciphertexts of one column of many rows; nothing stays nothing.

        Args:
            column: where they will stand.
            texts: what to seal, row for row.
            rows: the keys of the rows, as for ``seal``.
        """
        return self._sealer.seal_all(texts, purpose=column.value, rows=rows)

    def open(
        self, column: SealedColumn | SealedChangeColumn, sealed: bytes | None, row: bytes
    ) -> str | None:
        """The text.

        Raises:
            IssuerUnavailableError: as ``open_required``.
        """
        return None if sealed is None else self.open_required(column, sealed, row)

    def open_required(
        self, column: SealedColumn | SealedChangeColumn, sealed: bytes, row: bytes
    ) -> str:
        """The text of a column that is never empty.

        Raises:
            IssuerUnavailableError: it was altered, moved from another row or column, or sealed under
                another key (``register.seal-broken``).
        """
        return self.opener(column)(sealed, row)

    def opener(self, column: SealedColumn | SealedChangeColumn) -> Callable[[bytes, bytes], str]:
        """``open_required`` for many rows: what they have in common is looked up once."""
        open_sealed = self._sealer.opener(column.value)

        def opened(sealed: bytes, row: bytes) -> str:
            try:
                return open_sealed(sealed, row).decode()
            except (IssuerUnavailableError, UnicodeDecodeError) as error:
                raise IssuerUnavailableError(
                    f"{column.value} of row {row.hex()} cannot be opened with this keystore",
                    code="register.seal-broken",
                    hint="restore the row from a backup: somebody changed the database past the program",
                ) from error

        return opened

    def citizen_number_digest(self, number: str) -> bytes:
        """By which a citizen number is found and kept unique."""
        return self._digest(number, _CITIZEN_NUMBER_DIGEST)

    def likeness_digest(self, full_name: str, birth_date: date) -> bytes:
        """Alike for members who may be one and the same: the folded name and the date of birth."""
        return self._digest(f"{likeness(full_name)}|{birth_date.isoformat()}", _LIKENESS_DIGEST)

    def retired_number_digest(self, retired: RetiredNumber) -> bytes:
        """By which a number is known that was a deleted member's."""
        return self._sealer.digest(retired.number, purpose=f"{_RETIRED_NUMBER}.{retired.kind}")

    @property
    def key_check(self) -> bytes:
        """Tells these keys from others, and nothing else about them."""
        return self._sealer.digest("register", purpose=_KEY_CHECK)

    def _digest(self, value: str, purpose: str) -> bytes:
        # An import asks for each two or three times: it looks once, looks again, and stores.
        known = self._digests.setdefault(purpose, {})
        digest = known.get(value)
        if digest is None:
            if len(known) >= _MOST_KEPT:
                known.clear()
            digest = known[value] = self._sealer.digest(value, purpose=purpose)
        return digest


class RegisterKeys:
    """The keys of one register: taken from their source when first needed, and compared with the database."""

    def __init__(self, source: Callable[[], Sealer]) -> None:
        """``source`` may ask a keystore, and is called once."""
        self._source = source
        self._seals: MemberSeals | None = None
        self._is_known = False

    def open(self, session: Session, *, is_writing: bool) -> MemberSeals:
        """The seals, once it is certain that they are those of this register.

        The first transaction that writes marks the register with them.

        Raises:
            IssuerUnavailableError: the register was sealed under other keys (``register.other-key``), or
                the source has none.
        """
        if self._seals is None:
            self._seals = MemberSeals(self._source())
        if not self._is_known:
            has_mark = _has_mark(session, self._seals)
            if not has_mark and is_writing:
                _mark(session, self._seals)
                session.info[_MARKED_HERE] = True
                # Somebody with other keys may have come first.
                _has_mark(session, self._seals)
            # A mark that this transaction made may yet be rolled back: only one that was found is relied on.
            self._is_known = has_mark and _MARKED_HERE not in session.info
        return self._seals


def _has_mark(session: Session, seals: MemberSeals) -> bool:
    # Whoever seals is in the middle of a row, which is not to be stored before it is whole.
    with session.no_autoflush:
        found = session.scalar(sa.select(RegisterKeyRow.key_check))
    if found is None:
        return False
    if found != seals.key_check:
        raise IssuerUnavailableError(
            "the register was sealed under the keys of another keystore",
            code="register.other-key",
            hint="open it with the keystore that it was made with; a backup of it serves too",
        )
    return True


def _mark(session: Session, seals: MemberSeals) -> None:
    insert_unless_there(
        session, RegisterKeyRow, {"id": _THE_ONLY_ROW, "key_check": seals.key_check}
    )
