"""EF.SOD: one vector for every part of the signed structure that is missing or wrong."""

from conformance_vectors.bench import CardDraft, Case, accepted, refused, signed
from lint_vectors.drafts import integer

MALFORMED = "security-object.malformed"
NOT_ALLOWED = "security-object.algorithm-not-allowed"
INVALID = "security-object.signature-invalid"
MD5 = "1.2.840.113549.2.5"


def file_with(change: object) -> object:
    return lambda: CardDraft(security_object_file=change)


SECURITY_OBJECT_CASES: dict[str, Case] = {
    "LDS_H_12": accepted(signed(), "the right card"),
    "LDS_H_17": refused(
        file_with(lambda sod: b"\x78" + sod[1:]),
        MALFORMED,
        reason="EF.SOD with tag 78 instead of 77",
    ),
    "LDS_H_20": refused(signed(version=integer(2)), MALFORMED, reason="SignedData of version 2"),
}
