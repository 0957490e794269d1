"""The whole procedure of an inspection as people see it, in their language: the way in, then step by step."""

from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from verifier.inspection.checks import CheckState
from verifier.inspection.explained_material import Fact
from verifier.inspection.explanation import ExplainedStep, Explanation
from verifier.inspection.messages import (
    HEADINGS,
    JUDGED,
    STATES,
    VERDICTS,
    Heading,
    Language,
    code_texts,
    word,
)
from verifier.inspection.report import Report
from verifier.presentation import headline, holder_view, printable, timings
from verifier.services.inspect_card import Inspection

__all__ = ["explained_view"]

_STYLES: Final = {
    CheckState.PASSED: "green",
    CheckState.FAILED: "bold red",
    CheckState.NOT_PERFORMED: "yellow",
}


def explained_view(
    inspection: Inspection,
    explanation: Explanation,
    language: Language,
    *,
    show_unverified: bool,
    is_terminal: bool,
) -> RenderableType:
    """One card: the verdict, the way in, every step with what it looked at, and what it cost."""
    parts: list[RenderableType] = [
        headline(inspection.report, is_terminal=is_terminal)
        if language is Language.ENGLISH
        else _headline(inspection.report, language),
        Text(HEADINGS[Heading.ACCESS].within(language), "bold"),
        Padding(_facts(explanation.access, language), (0, 0, 1, 2), expand=False),
        Text(HEADINGS[Heading.PROCEDURE].within(language), "bold"),
    ]
    for step in explanation.steps:
        parts += _step(step, language)
    parts += [
        Text(
            f"{explanation.apdu_count} {HEADINGS[Heading.COMMANDS].within(language)}; "
            + ", ".join(
                f"{explanation.count(state)} {STATES[state].within(language).lower()}"
                for state in CheckState
            ),
            "bold",
        )
    ]
    for code in explanation.beside:
        cause, remedy = code_texts(code, language)
        parts += [
            Text.assemble(
                (f"{HEADINGS[Heading.BESIDE].within(language)}: ", "dim"),
                (code, "bold"),
                f"  {cause} {HEADINGS[Heading.REMEDY].within(language)}: {remedy}",
            )
        ]
    holder = holder_view(inspection.report, show_unverified=show_unverified)
    if holder is not None:
        parts += [Text(), holder]
    return Group(*parts, Text(), Text(timings(inspection), "dim"))


def _headline(report: Report, language: Language) -> Text:
    texts = (report.verdict.value, report.assurance.value)
    return Text(": ".join(VERDICTS[text].within(language) for text in texts) + "\n", "bold")


def _step(step: ExplainedStep, language: Language) -> list[RenderableType]:
    check = step.check
    need = Heading.REQUIRED if step.is_required else Heading.NOT_REQUIRED
    title = Text.assemble(
        (f"{check.clause:<5}", "bold"),
        (STATES[check.state].within(language), _STYLES[check.state]),
        (f" ({HEADINGS[need].within(language)})  ", "dim"),
        (check.name.value, "bold"),
        ("" if check.code is None else f"  [{check.code}]", "dim"),
    )
    judged = JUDGED[check.name].within(language)
    lines: list[RenderableType] = [
        Text(f"{HEADINGS[Heading.JUDGED].within(language)}: {judged}", "dim")
    ]
    sentence = printable(step.sentence(language))
    if sentence != judged:
        lines.append(Text(sentence))
    if check.code is not None:
        _, remedy = code_texts(check.code, language)
        lines.append(Text(f"{HEADINGS[Heading.REMEDY].within(language)}: {remedy}"))
    lines.append(_facts(step.facts, language))
    return [title, Padding(Group(*lines), (0, 0, 1, 6), expand=False)]


def _facts(facts: tuple[Fact, ...], language: Language) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for item in facts:
        table.add_row(item.name.text.within(language), Text(printable(word(item.value, language))))
    return table
