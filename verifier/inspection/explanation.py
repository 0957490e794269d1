"""What happened at each step of SPEC.md, 9: its number, its state, its sentence, and what was compared with what.

It is made from the evidence, the rules and the report, and changes none of them. Values of the holder are facts only
where the report would show the holder; digests of files are never shown, because whoever has the digest of a
machine-readable zone can find the zone.
"""

from dataclasses import dataclass

from verifier.inspection.checks import CheckResult, CheckState
from verifier.inspection.explained_facts import access_facts, facts_of_check
from verifier.inspection.explained_material import Fact, Material
from verifier.inspection.holder import Holder
from verifier.inspection.messages import JUDGED, Language, code_texts
from verifier.inspection.report import Report, Verdict

__all__ = ["ExplainedStep", "Explanation", "explain_inspection"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedStep:
    """One step: what it judges, what came of it, and what it looked at."""

    check: CheckResult
    is_required: bool
    facts: tuple[Fact, ...]

    def sentence(self, language: Language) -> str:
        """What happened; the procedure's own sentence in English, the catalogue's in other languages."""
        if language is Language.ENGLISH:
            return self.check.sentence
        if self.check.code is None:
            return JUDGED[self.check.name].within(language)
        return code_texts(self.check.code, language)[0]

    def to_json(self, language: Language) -> dict[str, object]:
        """As programs get it; the texts are in the language asked for, names and codes never change."""
        check = self.check
        remedy = None if check.code is None else code_texts(check.code, language)[1]
        return {
            "step": check.clause,
            "name": check.name.value,
            "judges": JUDGED[check.name].within(language),
            "state": check.state.value,
            "required": self.is_required,
            "code": check.code,
            "sentence": self.sentence(language),
            "remedy": remedy,
            "facts": [item.to_json(language) for item in self.facts],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The whole procedure, after the way in."""

    access: tuple[Fact, ...]
    steps: tuple[ExplainedStep, ...]
    beside: tuple[str, ...]
    """Codes of the report that no step bears: what broke the reading off, and notes on how the card was read."""
    apdu_count: int

    def count(self, state: CheckState) -> int:
        """How many steps ended so."""
        return sum(step.check.state is state for step in self.steps)

    def to_json(self, language: Language) -> dict[str, object]:
        """As programs get it."""
        return {
            "language": language.value,
            "access": [item.to_json(language) for item in self.access],
            "procedure": [step.to_json(language) for step in self.steps],
            "beside": [
                {"code": code, "cause": cause, "remedy": remedy}
                for code in self.beside
                for cause, remedy in [code_texts(code, language)]
            ],
            "apdus": self.apdu_count,
        }


def explain_inspection(
    material: Material, report: Report, *, show_unverified: bool = False
) -> Explanation:
    """The procedure as it went.

    Args:
        material: the evidence and the rules that the report was made from.
        report: what came of them.
        show_unverified: whether the holder's values are shown although the card was not accepted.
    """
    holder: Holder | None = None
    if show_unverified or report.verdict is Verdict.ACCEPTED:
        holder = report.unverified_holder
    return Explanation(
        access=access_facts(material),
        steps=tuple(
            ExplainedStep(
                check=check,
                is_required=check.name in report.required_checks,
                facts=facts_of_check(check.name, material, holder),
            )
            for check in report.checks
        ),
        beside=tuple(
            code
            for code in (*report.codes, *report.notes)
            if code not in {check.code for check in report.checks}
        ),
        apdu_count=report.apdu_count,
    )
