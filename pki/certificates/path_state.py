"""The state of RFC 5280, 6.1, carried from the anchor down a path, one certificate at a time.

Numbers in comments are those of RFC 5280. Time and revocation are judged elsewhere, because a card's path is judged
at two times; signatures are checked while a path is built.
"""

from typing import Final

from pki.certificates import extensions as ext
from pki.certificates.certificate import Certificate
from pki.certificates.conformance import check_conformance
from pki.certificates.extensions import KeyUsageBit
from pki.certificates.name_constraints import NAME_CONSTRAINTS, NameConstraints, names_of
from pki.certificates.path_rules import (
    Path,
    PathProfile,
    PathRules,
    WorkBudget,
    described,
    is_same_name,
    refused,
)
from pki.certificates.policy_graph import (
    INHIBIT_ANY_POLICY,
    POLICY_CONSTRAINTS,
    POLICY_MAPPINGS,
    PolicyGraph,
    decode_inhibit_any_policy,
    decode_policy_constraints,
    decode_policy_mappings,
)

__all__ = ["check_path"]

_KNOWN: Final = frozenset(
    {
        ext.AUTHORITY_KEY_IDENTIFIER,
        ext.SUBJECT_KEY_IDENTIFIER,
        ext.KEY_USAGE,
        ext.BASIC_CONSTRAINTS,
        ext.SUBJECT_ALTERNATIVE_NAME,
        ext.CERTIFICATE_POLICIES,
        ext.CRL_DISTRIBUTION_POINTS,
        ext.EXTENDED_KEY_USAGE,
        ext.DOCUMENT_TYPE_LIST,
        NAME_CONSTRAINTS,
        POLICY_MAPPINGS,
        POLICY_CONSTRAINTS,
        INHIBIT_ANY_POLICY,
    }
)
"""The critical extensions that are processed here or by whoever judges the last certificate."""


def check_path(path: Path, rules: PathRules, budget: WorkBudget) -> frozenset[str]:
    """Carry the state down a path whose signatures hold; returns the policies that hold at its end.

    Raises:
        PkiRefusedError: ``path.anchor-scope``, ``path.too-long``, ``path.not-an-authority``, ``path.key-usage``,
            ``path.key-identifier``, ``path.length-exceeded``, ``path.name-constraint``, ``path.policy``,
            ``path.critical-extension``, ``path.extended-key-usage``, ``path.profile``, ``path.work-exceeded``.
        PkiDataError: ``certificate.malformed``.
    """
    if rules.demand is not None and (
        path.anchor.scope is None or not path.anchor.scope.admits(rules.demand)
    ):
        scope = "nothing" if path.anchor.scope is None else str(path.anchor.scope)
        raise refused("anchor-scope", f"its anchor is trusted for {scope}, expected {rules.demand}")
    if len(path.certificates) > rules.max_path_length:
        raise refused(
            "too-long",
            f"it has {len(path.certificates)} certificates, expected at most {rules.max_path_length}",
        )
    state = _State(path, rules, budget)
    last = len(path.certificates) - 1
    for index, certificate in enumerate(path.certificates):
        state.enter(certificate, path.issuer_of(index), is_last=index == last)
        if index < last:
            state.prepare_for_next(certificate)
    return state.wrap_up(path.certificates[last])


class _State:
    """6.1.2: the variables, with the anchor's own certificate taken as what RFC 5937 makes of it."""

    def __init__(self, path: Path, rules: PathRules, budget: WorkBudget) -> None:
        length = len(path.certificates)
        self._rules = rules
        self._budget = budget
        self._constraints: list[NameConstraints] = []
        self._graph = PolicyGraph()
        self._explicit_policy = 0 if rules.require_explicit_policy else length + 1
        self._policy_mapping = 0 if rules.inhibit_policy_mapping else length + 1
        self._any_policy = 0 if rules.inhibit_any_policy else length + 1
        self._path_length = length
        anchor = path.anchor.certificate
        self._check_shape(anchor)
        self._take_authority(anchor, is_counted=False)

    def enter(self, certificate: Certificate, issuer: Certificate, *, is_last: bool) -> None:
        """6.1.3, without (a) (1) to (3), and the extensions of 6.1.4 (o) and 6.1.5 (f)."""
        rules = self._rules
        self._budget.count_steps()
        if not is_same_name(certificate.issuer, issuer.subject, rules.profile):
            raise refused("issuer-unknown", f"{described(certificate)} names another issuer")
        _check_key_identifier(certificate, issuer, rules.profile)
        self._check_shape(certificate)
        is_self_issued = is_same_name(certificate.issuer, certificate.subject, rules.profile)
        if is_last or not is_self_issued:
            self._check_names(certificate)
        policies = ext.decode_policies(certificate.extensions)
        if ext.CERTIFICATE_POLICIES in certificate.extensions:
            self._budget.count_steps(len(policies))
            is_any_allowed = self._any_policy > 0 or (not is_last and is_self_issued)
            self._graph.add_certificate(policies, is_any_allowed=is_any_allowed)
        else:
            self._graph.end()
        if self._explicit_policy == 0 and self._graph.is_null:
            raise refused(
                "policy", f"{described(certificate)} has none of the policies that must hold"
            )

    def prepare_for_next(self, certificate: Certificate) -> None:
        """6.1.4: from one authority to what it signed."""
        extensions = certificate.extensions
        if POLICY_MAPPINGS in extensions:
            mappings = decode_policy_mappings(extensions[POLICY_MAPPINGS].value)
            self._budget.count_steps(len(mappings))
            self._graph.apply_mappings(mappings, is_allowed=self._policy_mapping > 0)
        is_self_issued = is_same_name(certificate.issuer, certificate.subject, self._rules.profile)
        if not is_self_issued:
            # (h): self-issued certificates do not count.
            self._explicit_policy = max(self._explicit_policy - 1, 0)
            self._policy_mapping = max(self._policy_mapping - 1, 0)
            self._any_policy = max(self._any_policy - 1, 0)
        self._take_authority(certificate, is_counted=not is_self_issued)

    def wrap_up(self, certificate: Certificate) -> frozenset[str]:
        """6.1.5, and the purpose that the last key must be for."""
        extensions = certificate.extensions
        self._explicit_policy = max(self._explicit_policy - 1, 0)
        if POLICY_CONSTRAINTS in extensions:
            required, _ = decode_policy_constraints(extensions[POLICY_CONSTRAINTS].value)
            if required == 0:
                self._explicit_policy = 0
        wanted = self._rules.extended_key_usage
        purposes = ext.decode_extended_key_usage(extensions)
        if wanted is not None and purposes is not None and wanted not in purposes:
            raise refused(
                "extended-key-usage",
                f"the key of {described(certificate)} is for {sorted(purposes)}, expected {wanted}",
            )
        policies = self._graph.valid_policies(self._rules.initial_policies)
        if self._explicit_policy == 0 and not policies:
            raise refused("policy", "none of the policies that must hold does so along the path")
        return policies

    def _check_shape(self, certificate: Certificate) -> None:
        unknown = ext.unknown_critical(certificate.extensions, known=_KNOWN)
        if unknown is not None:
            raise refused(
                "critical-extension",
                f"{described(certificate)} has the critical extension {unknown}, which is not understood",
            )
        if self._rules.profile is PathProfile.RFC_5280:
            check_conformance(certificate)

    def _check_names(self, certificate: Certificate) -> None:
        """(b), (c)."""
        if not self._constraints:
            return
        names = names_of(certificate)
        for constraints in self._constraints:
            self._budget.count_steps(len(names) * constraints.comparisons)
            violating = constraints.violated_by(names)
            if violating is not None:
                raise refused(
                    "name-constraint",
                    f"{described(certificate)} has a name of kind {violating.kind.name} that its authorities may not certify",
                )

    def _take_authority(self, certificate: Certificate, *, is_counted: bool) -> None:
        """(g) and (k) to (n)."""
        extensions = certificate.extensions
        if NAME_CONSTRAINTS in extensions:
            self._constraints.append(NameConstraints.from_bytes(extensions[NAME_CONSTRAINTS].value))
        self._take_policy_limits(certificate)
        constraints = ext.decode_basic_constraints(extensions)
        if constraints is None or not constraints[0]:
            raise refused("not-an-authority", f"{described(certificate)} is no authority")
        if is_counted:
            if self._path_length <= 0:
                raise refused(
                    "length-exceeded",
                    f"{described(certificate)} stands deeper than an authority above it allows",
                )
            self._path_length -= 1
        if constraints[1] is not None:
            self._path_length = min(self._path_length, constraints[1])
        usage = ext.decode_key_usage(extensions)
        if usage is not None and KeyUsageBit.CERTIFICATE_SIGN not in usage:
            raise refused(
                "key-usage", f"the key of {described(certificate)} is not for certificates"
            )

    def _take_policy_limits(self, certificate: Certificate) -> None:
        """(i), (j)."""
        extensions = certificate.extensions
        if POLICY_CONSTRAINTS in extensions:
            required, inhibited = decode_policy_constraints(extensions[POLICY_CONSTRAINTS].value)
            if required is not None:
                self._explicit_policy = min(self._explicit_policy, required)
            if inhibited is not None:
                self._policy_mapping = min(self._policy_mapping, inhibited)
        if INHIBIT_ANY_POLICY in extensions:
            skipped = decode_inhibit_any_policy(extensions[INHIBIT_ANY_POLICY].value)
            self._any_policy = min(self._any_policy, skipped)


def _check_key_identifier(
    certificate: Certificate, issuer: Certificate, profile: PathProfile
) -> None:
    """Doc 9303-12, 7.1.1 wants both identifiers; elsewhere they may be missing, and where they stand they fit."""
    if profile is PathProfile.PATH_ALONE:
        return
    named = ext.decode_authority_key_identifier(certificate.extensions)
    own = ext.decode_subject_key_identifier(issuer.extensions)
    if named is None or own is None:
        if profile is PathProfile.DOC_9303:
            raise refused(
                "key-identifier", f"{described(certificate)} or its issuer has no key identifier"
            )
    elif named != own:
        raise refused("key-identifier", f"{described(certificate)} names another key of its issuer")
