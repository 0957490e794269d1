"""Rules about the encoding itself: certificates, CRLs and master lists are DER (ICAO 9303-12, 7.1 and 9; X.690, 10 and 11)."""

from collections.abc import Callable, Iterator

from pki.certificates.lint.element import (
    BIT_STRING,
    BOOLEAN,
    INTEGER,
    SET,
    Element,
    MalformedError,
    read_element,
)
from pki.certificates.lint.findings import (
    CARD_VERIFIABLE,
    CERTIFICATES,
    EVERYTHING,
    LintProfile,
    RuleTable,
    Violation,
)
from pki.certificates.lint.objects import EncodedView, SignedView

__all__ = ["ENCODING_RULES", "EXTENSION_ENCODING_RULES"]

_table: RuleTable[EncodedView] = RuleTable(EVERYTHING - CARD_VERIFIABLE)
_signed: RuleTable[SignedView] = RuleTable(CERTIFICATES | {LintProfile.CRL})


def _where(element: Element) -> str:
    return f"offset {element.start}"


def _each(view: EncodedView, wrong: Callable[[Element], str | None]) -> Iterator[Violation]:
    """The first element that is wrong: the same mistake stands everywhere where it stands once."""
    try:
        for element in view.elements:
            message = wrong(element)
            if message is not None:
                yield Violation(_where(element), message)
                return
    except MalformedError:
        # What cannot be walked through is the finding of the rule about nesting.
        return


@_table.rule(
    "lint.encoding.nesting",
    clause="X.690, 8.1",
    demands="every constructed element holds whole elements",
)
def _nesting(view: EncodedView) -> Iterator[Violation]:
    try:
        _ = view.elements
    except MalformedError as error:
        yield Violation("", str(error))


@_table.rule(
    "lint.encoding.definite-lengths",
    clause="ICAO 9303-12, 7.1; X.690, 10.1",
    demands="lengths are definite",
)
def _definite_lengths(view: EncodedView) -> Iterator[Violation]:
    return _each(view, lambda element: None if element.is_definite else "length is indefinite")


@_table.rule(
    "lint.encoding.shortest-lengths",
    clause="ICAO 9303-12, 7.1; X.690, 10.1",
    demands="lengths are in their shortest form",
)
def _shortest_lengths(view: EncodedView) -> Iterator[Violation]:
    return _each(view, lambda element: None if element.is_shortest else "length has too many bytes")


@_table.rule(
    "lint.encoding.booleans",
    clause="X.690, 11.1",
    demands="TRUE is FF",
)
def _booleans(view: EncodedView) -> Iterator[Violation]:
    def wrong(element: Element) -> str | None:
        is_right = element.tag != BOOLEAN or element.content in {b"\x00", b"\xff"}
        return None if is_right else f"BOOLEAN is {element.content[:4].hex()}, expected ff or 00"

    return _each(view, wrong)


@_table.rule(
    "lint.encoding.integers",
    clause="ICAO 9303-12, table 5 (serialNumber), table 10 (cRLNumber); X.690, 8.3.2",
    demands="integers have the smallest number of octets",
)
def _integers(view: EncodedView) -> Iterator[Violation]:
    def wrong(element: Element) -> str | None:
        if element.tag != INTEGER:
            return None
        first = element.content[:2]
        is_long = len(first) == 2 and (first[0], first[1] & 0x80) in {(0, 0), (0xFF, 0x80)}
        return "INTEGER has a byte too many in front" if is_long else None

    return _each(view, wrong)


@_table.rule(
    "lint.encoding.bit-strings",
    clause="X.690, 11.2.1",
    demands="unused bits of bit strings are zero",
)
def _bit_strings(view: EncodedView) -> Iterator[Violation]:
    def wrong(element: Element) -> str | None:
        content = element.content
        if element.tag != BIT_STRING or len(content) < 2 or content[0] > 7:
            return None
        return "unused bits are set" if content[-1] & (1 << content[0]) - 1 else None

    return _each(view, wrong)


@_table.rule(
    "lint.encoding.set-order",
    clause="X.690, 11.6",
    demands="elements of a set stand in the order of their encodings",
)
def _set_order(view: EncodedView) -> Iterator[Violation]:
    def wrong(element: Element) -> str | None:
        if element.tag != SET:
            return None
        encodings = [child.encoded for child in element.children()]
        return "elements of a SET are not in order" if encodings != sorted(encodings) else None

    return _each(view, wrong)


@_signed.rule(
    "lint.extension.default-not-encoded",
    clause="ICAO 9303-12, table 5 and 9; X.690, 11.5",
    demands="default values in extensions are not written out",
)
def _default_not_encoded(view: SignedView) -> Iterator[Violation]:
    for item in view.extensions.items:
        if item.encodes_default:
            yield Violation(item.path, "criticality FALSE is written out, expected nothing")
    constraints = view.extensions.basic_constraints
    if constraints is not None and constraints.encodes_default:
        yield Violation("extensions.basicConstraints", "cA FALSE is written out, expected nothing")


@_signed.rule(
    "lint.extension.value-encoding",
    clause="ICAO 9303-12, 7.1; X.690, 10",
    demands="the values of extensions are DER: shortest definite lengths, one element and nothing behind it",
)
def _value_encoding(view: SignedView) -> Iterator[Violation]:
    for item in view.extensions.items:
        try:
            is_der = (value := read_element(item.value)).is_shortest and value.is_definite
        except MalformedError as error:
            yield Violation(item.path, str(error))
            continue
        if not is_der:
            yield Violation(item.path, "length is indefinite or has too many bytes")


@_signed.rule(
    "lint.extension.unique",
    clause="RFC 5280, 4.2",
    demands="an extension stands at most once",
)
def _unique(view: SignedView) -> Iterator[Violation]:
    seen: set[str] = set()
    for item in view.extensions.items:
        if item.oid in seen:
            yield Violation(item.path, "stands twice, expected once")
        seen.add(item.oid)


@_signed.rule(
    "lint.extension.malformed",
    clause="RFC 5280, 4.2.1 and 5.2; ICAO 9303-12, 7.1.1",
    demands="the value of a known extension is what its standard says",
)
def _malformed(view: SignedView) -> Iterator[Violation]:
    for item, message in view.extensions.malformed:
        yield Violation(item.path, message)


ENCODING_RULES = _table.rules
EXTENSION_ENCODING_RULES = _signed.rules
