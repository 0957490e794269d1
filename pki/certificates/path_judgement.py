"""One judgement of one certificate: the paths that can be built, and what is said of each (RFC 5280, 6; RFC 4158)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pki.certificates import extensions as ext
from pki.certificates.certificate import Certificate, CertificateError, CertificateList
from pki.certificates.path_revocation import check_status, lists_signed_by
from pki.certificates.path_rules import (
    Path,
    PathAnchor,
    PathProfile,
    PathRules,
    WorkBudget,
    described,
    is_same_name,
    refused,
)
from pki.certificates.path_state import check_path
from pki.certificates.profile_checks import is_issued_by
from pki.errors import PkiDataError, PkiError, PkiRefusedError

__all__ = ["Judgement", "PathStep", "ValidPath", "check_certificate_time", "check_path_times"]

_WORK_EXCEEDED: Final = "path.work-exceeded"
_MAX_LIST_SIGNER_DEPTH: Final = 2
"""How far lists may be signed by keys whose own certificates have to be judged by lists first."""

_MAX_STEPS_SHOWN: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PathStep:
    """One thing that was looked at, for people; ``code`` is ``None`` where it held."""

    subject: str
    check: str
    sentence: str
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidPath:
    """A path that holds, the policies that hold at its end, and what finding it cost."""

    path: Path
    policies: frozenset[str]
    signature_checks: int


def check_path_times(path: Path, *, at: datetime) -> None:
    """Every certificate of the path, its anchor's included, is valid at a time.

    Raises:
        PkiRefusedError: ``path.not-yet-valid``, ``path.expired``.
    """
    for certificate in (path.anchor.certificate, *path.certificates):
        check_certificate_time(certificate, at=at)


def check_certificate_time(certificate: Certificate, *, at: datetime) -> None:
    """A certificate is valid at a time; both ends belong to its validity, which counts whole seconds (RFC 5280, 4.1.2.5).

    Raises:
        PkiRefusedError: ``path.not-yet-valid``, ``path.expired``.
    """
    moment = at.replace(microsecond=0) if at.microsecond else at
    if certificate.not_before <= moment <= certificate.not_after:
        return
    is_early = moment < certificate.not_before
    raise refused(
        "not-yet-valid" if is_early else "expired",
        f"{described(certificate)} {'is not valid yet' if is_early else 'has expired'}, "
        f"expected {certificate.not_before:%Y-%m-%d %H:%M:%S}Z "
        f"to {certificate.not_after:%Y-%m-%d %H:%M:%S}Z, got {moment:%Y-%m-%d %H:%M:%S}Z",
    )


class Judgement:
    """Builds paths within one budget and keeps the reason why the one that came furthest does not hold."""

    def __init__(
        self,
        *,
        anchors: Sequence[PathAnchor],
        pool: Sequence[Certificate],
        lists: Sequence[CertificateList],
        rules: PathRules,
        trace: list[PathStep],
    ) -> None:
        self._anchors = anchors
        self._pool = pool
        self._lists = lists
        self._rules = rules
        self._trace = trace
        self._budget = WorkBudget.of(rules)
        self._failure: tuple[int, PkiError] | None = None

    def first_that_holds(self, certificate: Certificate, *, at: datetime | None) -> ValidPath:
        """The first path that holds; without a time, neither clock nor lists are asked.

        Raises:
            PkiRefusedError: ``path.*``.
            PkiDataError: ``certificate.malformed``, ``certificate.algorithm-not-allowed``.
        """
        name = described(certificate)
        for path in self._paths(certificate):
            stage, check = 2, "constraints"
            try:
                policies = check_path(path, self._rules, self._budget)
                self._note(name, check, _shown(path))
                if at is not None:
                    stage, check = 3, "validity"
                    check_path_times(path, at=at)
                    self._note(
                        name, check, f"every certificate is valid at {at:%Y-%m-%d %H:%M:%S}Z"
                    )
                if at is not None and self._rules.require_revocation:
                    stage, check = 4, "revocation"
                    self._check_revocation(path, at=at, suspects=())
                    self._note(name, check, "current lists name none of its certificates")
            except (PkiRefusedError, PkiDataError) as error:
                self._fail(stage, name, check, error)
                continue
            return ValidPath(
                path=path, policies=policies, signature_checks=self._budget.signature_checks
            )
        if self._failure is None:
            raise refused("issuer-unknown", f"nobody who is at hand issued {name}")
        raise self._failure[1]

    def _paths(self, certificate: Certificate) -> Iterator[Path]:
        """Every path of signatures that hold up to an anchor, depth first, anchors before other certificates."""
        waiting: list[tuple[Certificate, ...]] = [(certificate,)]
        while waiting:
            chain = waiting.pop()
            top = chain[-1]
            self._budget.count_steps(1 + len(self._anchors) + len(self._pool))
            anchors = [
                item for item in self._anchors if self._is_named_issuer(top, item.certificate)
            ]
            for anchor in anchors:
                if self._is_issued(top, anchor.certificate):
                    yield Path(anchor=anchor, certificates=tuple(reversed(chain)))
            issuers = [
                item
                for item in self._pool
                if self._is_named_issuer(top, item) and not _is_within(item, chain)
            ]
            if not anchors and not issuers:
                error = refused("issuer-unknown", f"nobody who is at hand issued {described(top)}")
                self._fail(0, described(top), "issuer", error)
            if issuers and len(chain) >= self._rules.max_path_length:
                error = refused(
                    "too-long", f"it has more than {self._rules.max_path_length} certificates"
                )
                self._fail(1, described(top), "issuer", error)
                continue
            # The last one in is the first one out: issuers whose key identifier fits come first.
            issuers.sort(key=lambda item: _is_named_key(chain[-1], item))
            waiting += [(*chain, item) for item in issuers if self._is_issued(top, item)]

    def _is_named_issuer(self, certificate: Certificate, issuer: Certificate) -> bool:
        """By name; under Doc 9303 by the key identifier, too, so that no signature is checked in vain."""
        profile = self._rules.profile
        return is_same_name(certificate.issuer, issuer.subject, profile) and (
            profile is not PathProfile.DOC_9303 or _is_named_key(certificate, issuer)
        )

    def _is_issued(self, certificate: Certificate, issuer: Certificate) -> bool:
        """Whether the issuer's key signed the certificate; other reasons against it are noted, and it is not."""
        name = described(certificate)
        self._budget.count_signature()
        try:
            is_issued = (
                # A terminal judges the same signers all day: their signatures are checked once.
                is_issued_by(certificate.der, issuer.der)
                if self._rules.profile is PathProfile.DOC_9303
                else certificate.verify_by(issuer.public_key)
            )
        except PkiDataError as error:
            self._fail(1, name, "signature", error)
            return False
        if not is_issued:
            text = f"the signature over {name} is not that of {described(issuer)}"
            self._fail(1, name, "signature", refused("signature-invalid", text))
            return False
        self._note(name, "signature", f"signed by {described(issuer)}")
        return True

    def _check_revocation(
        self, path: Path, *, at: datetime, suspects: tuple[Certificate, ...]
    ) -> None:
        """6.3.3 for every certificate of the path; ``suspects`` are those whose lists are being judged."""
        for index, certificate in enumerate(path.certificates):
            issuer = path.issuer_of(index)
            named = [
                item
                for item in self._lists
                if is_same_name(item.issuer, issuer.subject, self._rules.profile)
            ]
            own = self._signed_by([issuer], named)
            foreign = [item for item in named if item not in own]
            for signer in self._other_signers(issuer, foreign, suspects):
                if self._is_valid_list_signer(signer, path, at=at, suspects=(*suspects, signer)):
                    own += self._signed_by([signer], foreign)
            check_status(certificate, own, now=at, profile=self._rules.profile)

    def _other_signers(
        self,
        issuer: Certificate,
        lists: Sequence[CertificateList],
        suspects: tuple[Certificate, ...],
    ) -> list[Certificate]:
        """Certificates of the issuer's name with other keys, one of which may have signed a list."""
        if not lists or len(suspects) >= _MAX_LIST_SIGNER_DEPTH:
            return []
        everybody = [*(anchor.certificate for anchor in self._anchors), *self._pool]
        self._budget.count_steps(len(everybody))
        return [
            item
            for item in everybody
            if is_same_name(item.subject, issuer.subject, self._rules.profile)
            and item.public_key_info != issuer.public_key_info
            and item not in suspects
            and self._signed_by([item], lists)
        ]

    def _is_valid_list_signer(
        self, signer: Certificate, path: Path, *, at: datetime, suspects: tuple[Certificate, ...]
    ) -> bool:
        """6.3.3 (f): the path of who signed the list ends at the same anchor."""
        rules = PathRules(max_path_length=self._rules.max_path_length, profile=self._rules.profile)
        for candidate in self._paths(signer):
            if candidate.anchor.certificate.der != path.anchor.certificate.der:
                continue
            try:
                check_path(candidate, rules, self._budget)
                check_path_times(candidate, at=at)
                self._check_revocation(candidate, at=at, suspects=suspects)
            except (PkiRefusedError, PkiDataError) as error:
                self._stop_if_exhausted(error)
                self._note(described(signer), "list signer", str(error), error.code)
                continue
            return True
        return False

    def _signed_by(
        self, signers: Iterable[Certificate], lists: Iterable[CertificateList]
    ) -> list[CertificateList]:
        return lists_signed_by(signers, lists, profile=self._rules.profile, budget=self._budget)

    def _fail(self, stage: int, subject: str, check: str, error: PkiError) -> None:
        """Keep the first failure of the furthest stage."""
        self._stop_if_exhausted(error)
        self._note(subject, check, str(error), error.code)
        if self._failure is None or stage > self._failure[0]:
            self._failure = (stage, error)

    def _note(self, subject: str, check: str, sentence: str, code: str | None = None) -> None:
        if len(self._trace) < _MAX_STEPS_SHOWN:
            self._trace.append(PathStep(subject=subject, check=check, sentence=sentence, code=code))

    @staticmethod
    def _stop_if_exhausted(error: PkiError) -> None:
        if error.code == _WORK_EXCEEDED:
            raise error


def _is_within(item: Certificate, chain: Iterable[Certificate]) -> bool:
    """Whether a certificate of this name and key stands in the chain already: a path has no cycles."""
    return any(
        item.subject == other.subject and item.public_key_info == other.public_key_info
        for other in chain
    )


def _is_named_key(certificate: Certificate, issuer: Certificate) -> bool:
    try:
        named = ext.decode_authority_key_identifier(certificate.extensions)
        return named is not None and named == ext.decode_subject_key_identifier(issuer.extensions)
    except CertificateError:
        return False


def _shown(path: Path) -> str:
    return " <- ".join(described(item) for item in (path.anchor.certificate, *path.certificates))
