"""What a ceremony does with the root: each act can be begun again after a crash, and does nothing twice."""

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from pki.ceremony.script import CeremonyKind
from pki.ceremony.shares import Quorum, RootSecret
from pki.ceremony.transcript import Opening
from pki.certificates import extensions as ext
from pki.certificates.certificate import load_certificate, load_certificate_list
from pki.certificates.list_signer import ListSignerCertificate
from pki.certificates.names import name_text
from pki.certificates.profile import (
    CertificateProfile,
    ProfileKind,
    ProfileVariant,
    load_certificate_profile,
)
from pki.certificates.profile_checks import is_issued_by
from pki.errors import KeystoreError, PkiRefusedError
from pki.keys.divided import DividedKeystore
from pki.keys.open import KeystoreKind, change_pin, create_keystore, open_keystore
from pki.record.journal import Fields
from pki.services.authority import AuthorityRequest, AuthorityService
from pki.services.revocation import RevocationService
from pki.services.state import EntryKind, PkiState, SignerRecord

__all__ = ["RootActs", "authority_request", "fingerprint_groups", "wished_profile"]

_WRONG_PIN = frozenset({"keystore.pin-wrong", "keystore.passphrase-wrong", "keystore.missing"})


def authority_request(wish: dict[str, str]) -> AuthorityRequest:
    """The root that a root ceremony makes."""
    return AuthorityRequest(
        name=wish["name"],
        country=wish["country"],
        is_test=wish["test"] == "yes",
        distribution_point=wish["crl_uri"],
        variant=ProfileVariant(wish["profile"]),
    )


def wished_profile(wish: dict[str, str]) -> CertificateProfile:
    """The profile of what is made."""
    profile = load_certificate_profile(wish["certificate_profile"])
    return profile.with_key(wish["key"]) if wish.get("key") else profile


def fingerprint_groups(octets: bytes) -> str:
    """A SHA-256 hash in sixteen groups of four digits, to be read aloud."""
    digits = octets.hex()
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))


@dataclass(kw_only=True)
class RootActs:
    """The root's keystore and its authority, in one ceremony."""

    opening: Opening
    authority: AuthorityService
    keystore: DividedKeystore
    directory: Path
    results: Callable[[str], Fields]
    """What an earlier step of this ceremony found; empty if it is not done."""

    now: Callable[[], datetime]

    @property
    def state(self) -> PkiState:
        """What was done so far."""
        return self.authority.state

    def wish(self) -> Fields:
        """Exactly what will be done, for everybody to read; the same again before it is done.

        Raises:
            PkiRefusedError: it cannot be done.
        """
        wish = self.opening.wish
        before: dict[str, str | int | None] = {
            "crl_before": self.state.crl_number,
            "authority_before": self.state.authority_id,
        }
        match self.opening.kind:
            case CeremonyKind.ROOT:
                request = authority_request(wish)
                profile = wished_profile(wish)
                request.check(profile)
                self._check_place()
                return {
                    **before,
                    "name": f"{'TEST ' if request.is_test else ''}{request.name}",
                    "country": request.country,
                    "key": profile.key_label,
                    "profile": request.variant.value,
                    "crl_uri": request.distribution_point,
                    "keystore": wish["keystore"],
                    "quorum": f"{self.opening.threshold} / {len(self.opening.custodians)}",
                }
            case CeremonyKind.CRL:
                return before | self._crl_wish()
            case CeremonyKind.SIGNER:
                if wish["signer"] in self.state.signers:
                    raise PkiRefusedError(
                        f"there is, or may be, a certificate for {wish['signer']} already",
                        code="signer.exists",
                    )
                profile = wished_profile(wish)
                return {
                    **before,
                    "signer": wish["signer"],
                    "kind": profile.kind.value,
                    "key": profile.key_label,
                }
            case CeremonyKind.ROLLOVER:
                return {**before, "key": wished_profile(wish).key_label} | self._crl_wish()
            case CeremonyKind.DESTROY:
                key_id = wish["destroyed"]
                found = self.state.authorities.get(key_id)
                if found is None or key_id == self.state.authority_id:
                    raise PkiRefusedError(
                        f"key {key_id[:80]} is not one of the root's that another followed",
                        code="signer.in-use",
                    )
                return {**before, "destroyed": key_id}
            case CeremonyKind.RESHARE:
                return {
                    **before,
                    "quorum": f"{self.opening.threshold} / {len(self.opening.custodians)}",
                }

    def _crl_wish(self) -> dict[str, str | int | None]:
        revoked = [
            f"{item.signer_id} {item.serial_number:x} {item.revoked_at:%Y-%m-%dT%H:%M:%SZ}"
            for item in self.state.signers.values()
            if item.revoked_at is not None
        ]
        due = self.state.crl_due
        return {
            "crl_number": self.state.crl_number + 1,
            "crl_days": self.opening.wish["days"],
            "crl_due": None if due is None else due.isoformat(),
            "crl_revoked": len(revoked),
            "crl_list": "\n".join(revoked)[:20_000],
            "crl_digest": sha256("\n".join(revoked).encode()).hexdigest(),
        }

    def open_root(self, secret: RootSecret, quorum: Quorum) -> bool:
        """Open the root's keystore with a quorum's secret; whether there is one yet.

        Raises:
            KeystoreError: ``keystore.pin-wrong``, ``keystore.passphrase-wrong``, or it is damaged.
        """
        if self.state.ceremonies.quorum is None and self.state.ceremonies.next_quorum is None:
            return False
        try:
            self.keystore.open_root(open_keystore(self.directory, pin=secret.pin(quorum.ceremony)))
        except KeystoreError as error:
            # Until the root is there, a keystore that broke off in its making is made anew.
            if self.state.authority_certificate is None and error.code in _WRONG_PIN:
                return False
            raise
        return True

    def make_keystore(self, secret: RootSecret, quorum: Quorum) -> Fields:
        """The root's keystore, which the quorum opens; one that holds no certified key gives way."""
        ceremonies = self.state.ceremonies
        if self.state.authority_certificate is not None:
            raise PkiRefusedError("there is an authority already", code="authority.exists")
        self._check_place()
        if quorum not in {ceremonies.quorum, ceremonies.next_quorum}:
            self._choose(quorum)
        if not self.open_root(secret, quorum):
            self._remove_residue()
            kind = KeystoreKind(self.opening.wish["keystore"])
            self.keystore.open_root(
                create_keystore(self.directory, kind=kind, pin=secret.pin(quorum.ceremony))
            )
        if ceremonies.quorum != quorum:
            self.authority.recorder.record(EntryKind.QUORUM_SET, ceremony=quorum.ceremony)
        return {"keystore": str(self.directory), "identifier": quorum.identifier}

    def make_root(self) -> Fields:
        """The root's key and certificate; one that broke off between record and signature is destroyed, not doubled."""
        record = self.state.authority
        if record is not None and record.certificate is None:
            self.authority.keys.destroy(record.key_id)
        certificate = self.state.authority_certificate
        if certificate is None:
            wish = self.opening.wish
            certificate = self.authority.create_authority(
                authority_request(wish), profile=wished_profile(wish)
            )
        return self._certificate_results(certificate)

    def issue_crl(self) -> Fields:
        """The CRL that was shown, or the first of a new root."""
        shown = self.results("wish")
        number = shown.get("crl_before")
        crl = self.state.crl
        is_done = crl is not None and (
            ext.decode_crl_number(load_certificate_list(crl).extensions) or 0
        ) > int(number or 0)
        if crl is None or not is_done:
            if "crl_digest" in shown and self._crl_wish()["crl_digest"] != shown["crl_digest"]:
                raise PkiRefusedError(
                    "what would be signed is not what was shown: a signer was revoked since",
                    code="ceremony.wish-differs",
                    hint="membercard-pki ceremony abandon, then begin again",
                )
            crl = self.authority.issue_crl(lifetime=timedelta(days=int(self.opening.wish["days"])))
        found = load_certificate_list(crl)
        return {
            "crl_number": ext.decode_crl_number(found.extensions),
            "crl_next_update": found.next_update.isoformat(),
            "crl_revoked": len(found.revoked),
            "crl_sha256": sha256(crl).hexdigest(),
        }

    def make_signer(self) -> Fields:
        """The signer that was asked for."""
        signer_id = self.opening.wish["signer"]
        found = self.state.signers.get(signer_id)
        if found is None or found.certificate is None:
            found = self.authority.create_signer(
                signer_id, profile=wished_profile(self.opening.wish)
            )
        return self._certificate_results(found.certificate or b"")

    def roll_over(self) -> Fields:
        """The root's next key and the link to it."""
        if self.state.authority_id == self.results("wish").get("authority_before"):
            self.authority.roll_over(profile=wished_profile(self.opening.wish))
        record = self.authority.state.authority
        link = None if record is None else record.link
        return {
            **self._certificate_results(self.state.authority_certificate or b""),
            "link_sha256": sha256(link or b"").hexdigest(),
        }

    def destroy(self) -> Fields:
        """An earlier key of the root's, for good."""
        key_id = self.opening.wish["destroyed"]
        if self.state.authorities[key_id].destroyed_at is None:
            RevocationService(self.authority).destroy_key(key_id)
        if key_id in self.keystore.key_ids():
            raise KeystoreError(f"key {key_id} is still there", code="keystore.failed")
        return {"destroyed": key_id}

    def change_quorum(
        self, old: RootSecret, new: RootSecret, old_quorum: Quorum, new_quorum: Quorum
    ) -> Fields:
        """From here on the new sheets open the root's keystore, and the old ones do not."""
        ceremonies = self.state.ceremonies
        if new_quorum not in {ceremonies.quorum, ceremonies.next_quorum}:
            self._choose(new_quorum)
        new_pin = new.pin(new_quorum.ceremony)
        is_changed = False
        with contextlib.suppress(KeystoreError):
            open_keystore(self.directory, pin=new_pin).close()
            is_changed = True
        if not is_changed:
            change_pin(self.directory, old=old.pin(old_quorum.ceremony), new=new_pin)
        self.keystore.open_root(open_keystore(self.directory, pin=new_pin))
        if ceremonies.quorum != new_quorum:
            self.authority.recorder.record(EntryKind.QUORUM_SET, ceremony=new_quorum.ceremony)
        return {"identifier": new_quorum.identifier, "void": old_quorum.identifier}

    def journal_signer(self) -> SignerRecord:
        """The newest signer of journals that may sign now; the next is made where there is none.

        Raises:
            PkiRefusedError: ``ceremony.required``: it has to be made, and the root is closed.
        """
        moment = self.now()
        usable = []
        for record in self.state.signers.values():
            if (
                record.kind is ProfileKind.JOURNAL_SIGNER
                and record.certificate is not None
                and record.revoked_at is None
                and record.destroyed_at is None
            ):
                found = ListSignerCertificate.from_bytes(record.certificate, kind=record.kind)
                is_current = found.key_use_not_before <= moment <= found.key_use_not_after
                # After a roll-over the new root's own signer signs: a path is one certificate.
                if is_current and is_issued_by(found.der, self.state.authority_certificate or b""):
                    usable.append((found.key_use_not_before, record))
        if usable:
            return max(usable, key=lambda item: item[0])[1]
        number = 1
        while f"journal-{number}" in self.state.signers:
            number += 1
        return self.authority.create_signer(
            f"journal-{number}", profile=load_certificate_profile("journal-signer")
        )

    def _check_place(self) -> None:
        """The root's keystore goes where nothing is yet, except what an earlier try of this home left."""
        is_first = not self.state.ceremonies.identifiers
        if is_first and self.directory.exists() and any(self.directory.iterdir()):
            raise KeystoreError(
                f"{self.directory} is not empty: the root's keystore cannot be made there",
                code="keystore.exists",
            )

    def _remove_residue(self) -> None:
        """What a try that broke off has left of a keystore, which holds no certified key; nothing else is touched."""
        for pattern in ("token.json", "softhsm2.conf", "keystore.json", "*.key"):
            for path in self.directory.glob(pattern):
                path.unlink()
        shutil.rmtree(self.directory / "tokens", ignore_errors=True)

    def _choose(self, quorum: Quorum) -> None:
        self.authority.recorder.record(
            EntryKind.QUORUM_CHOSEN,
            ceremony=quorum.ceremony,
            identifier=quorum.identifier,
            threshold=quorum.threshold,
            custodians="\n".join(quorum.custodians),
        )

    @staticmethod
    def _certificate_results(der: bytes) -> dict[str, str | int | None]:
        certificate = load_certificate(der)
        return {
            "subject": name_text(certificate.subject),
            "serial_number": f"{certificate.serial_number:x}",
            "valid_from": certificate.not_before.isoformat(),
            "valid_until": certificate.not_after.isoformat(),
            "sha256": fingerprint_groups(sha256(der).digest()),
            "certificate": der.hex(),
        }
