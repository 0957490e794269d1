"""Path validation: from a certificate up to a trust anchor, and down again (RFC 5280, 6; Doc 9303-12, 4.3).

Strict and our own. One validator serves cards (a path of one certificate, Doc 9303's profile) and every longer path;
its settings are ``PathRules``. Building goes up by issuer's name and signature, deepest first; a path that
was built is judged from the anchor down by ``path_state``, then by the clock, then by revocation lists. The first
path that holds is the answer. A hostile graph ends by the work it costs (``WorkBudget``), never by a clock.
"""

from collections.abc import Iterable
from datetime import datetime

from pki.certificates.anchor_scope import AnchorScope
from pki.certificates.certificate import (
    Certificate,
    CertificateList,
    load_certificate,
    load_certificate_list,
)
from pki.certificates.path_judgement import (
    Judgement,
    PathStep,
    ValidPath,
    check_certificate_time,
    check_path_times,
)
from pki.certificates.path_rules import (
    DOC_9303_RULES,
    Path,
    PathAnchor,
    PathProfile,
    PathRules,
    WorkBudget,
)

__all__ = [
    "DOC_9303_RULES",
    "Path",
    "PathAnchor",
    "PathProfile",
    "PathRules",
    "PathStep",
    "PathValidator",
    "ValidPath",
    "WorkBudget",
    "check_certificate_time",
    "check_path_times",
]


class PathValidator:
    """Anchors, other people's certificates and lists, and the rules under which certificates are judged by them.

    One validator judges any number of certificates; every judgement has a budget of its own.
    """

    def __init__(
        self,
        *,
        anchors: Iterable[PathAnchor],
        rules: PathRules,
        intermediates: Iterable[Certificate] = (),
        lists: Iterable[CertificateList] = (),
    ) -> None:
        self._anchors = tuple(anchors)
        self._rules = rules
        self._pool = tuple(intermediates)
        self._lists = tuple(lists)

    @classmethod
    def from_bytes(
        cls,
        *,
        anchors: Iterable[tuple[bytes, AnchorScope | None]],
        rules: PathRules,
        intermediates: Iterable[bytes] = (),
        lists: Iterable[bytes] = (),
    ) -> "PathValidator":
        """Read everything as the rules' profile reads it.

        Raises:
            PkiDataError: ``certificate.malformed``, ``certificate.algorithm-not-allowed``.
        """
        reading = rules.profile.reading
        return cls(
            anchors=[
                PathAnchor(certificate=load_certificate(der, reading), scope=scope)
                for der, scope in anchors
            ],
            rules=rules,
            intermediates=[load_certificate(der, reading) for der in intermediates],
            lists=[load_certificate_list(der, reading) for der in lists],
        )

    def validate(
        self, certificate: Certificate | bytes, *, at: datetime, trace: list[PathStep] | None = None
    ) -> ValidPath:
        """The first path from an anchor to the certificate that holds at a time; ``trace`` collects every step.

        Raises:
            PkiRefusedError: ``path.*``: why the path that came furthest does not hold.
            PkiDataError: ``certificate.malformed``, ``certificate.algorithm-not-allowed``.
        """
        if isinstance(certificate, bytes):
            certificate = load_certificate(certificate, self._rules.profile.reading)
        judgement = Judgement(
            anchors=self._anchors,
            pool=self._pool,
            lists=self._lists,
            rules=self._rules,
            trace=[] if trace is None else trace,
        )
        return judgement.first_that_holds(certificate, at=at)

    def build(self, certificate: Certificate) -> Path:
        """The first path whose signatures and constraints hold, whenever it does: neither clock nor lists are asked.

        Raises:
            PkiRefusedError: ``path.*``.
            PkiDataError: ``certificate.malformed``, ``certificate.algorithm-not-allowed``.
        """
        judgement = Judgement(
            anchors=self._anchors, pool=self._pool, lists=(), rules=self._rules, trace=[]
        )
        return judgement.first_that_holds(certificate, at=None).path
