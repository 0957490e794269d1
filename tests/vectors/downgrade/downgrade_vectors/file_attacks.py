"""Files, signatures and lists: less than was signed, weaker than is allowed, older than is current."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from conformance_vectors.bench import NOW, CardDraft
from conformance_vectors.common_data_cases import TAGS, common_data
from conformance_vectors.reading_cases import large_portrait, revoked_signer
from conformance_vectors.security_objects import (
    SIGNING_TIME_OID,
    STATUS_REFERENCE,
    SecurityObjectDraft,
    data_group_hashes,
    ecdsa,
    pkcs1,
)
from downgrade_vectors.bench import Attack
from downgrade_vectors.chip_attacks import hiding
from lint_vectors import drafts
from lint_vectors.drafts import integer, utc

from simulators.image import CardImage


def common(content: bytes | None) -> Callable[[], CardDraft]:
    return lambda: CardDraft(files={"EF.COM": content})


def signed(**fields: object) -> Callable[[], CardDraft]:
    return lambda: CardDraft(security_object=SecurityObjectDraft(**fields))


def without_versions() -> SecurityObjectDraft:
    """Of version 0, which signs no versions."""
    return SecurityObjectDraft(lds_version=integer(0), version_info=b"")


def truncated(name: str, path: str) -> Callable[[], CardDraft]:
    """The file ends in its middle, and its header still tells the whole length."""
    right = CardDraft().contents()[name]

    def cut(image: CardImage) -> CardImage:
        file = image.files[path]
        return replace(
            image, files={**image.files, path: replace(file, data=right[: len(right) // 2])}
        )

    return lambda: CardDraft(image=cut)


def exchanged() -> CardDraft:
    """The portrait of somebody else's card, genuine in its place."""
    other = large_portrait().files["EF.DG2"]
    return CardDraft(
        files={"EF.DG2": other}, signed_as={"EF.DG2": CardDraft().contents()["EF.DG2"]}
    )


def listed_twice(hashed: dict[int, bytes]) -> list[bytes]:
    right = data_group_hashes(hashed)
    return [*right, right[-1]]


def old_list() -> CardDraft:
    """The authority's list is no longer current: perhaps a newer one names the signer."""
    past = NOW - timedelta(hours=1)
    return CardDraft(revocation_list=drafts.crl().having(next_update=utc(f"{past:%y%m%d%H%M%S}Z")))


def list_of_another() -> CardDraft:
    return CardDraft(revocation_list=drafts.crl().having(signing_key="signer"))


FILE_ATTACKS: dict[str, Attack] = {
    "common-data-names-less": Attack(card=common(common_data(tags=TAGS[:-1]))),
    "common-data-names-more": Attack(card=common(common_data(tags=TAGS + b"\x6f"))),
    "common-data-states-older-structure": Attack(card=common(common_data(lds=b"0107"))),
    "common-data-states-older-unicode": Attack(card=common(common_data(unicode=b"030000"))),
    "common-data-missing": Attack(card=common(None)),
    "common-data-versions-unsigned": Attack(
        card=lambda: CardDraft(
            security_object=without_versions(), files={"EF.COM": common_data(lds=b"0107")}
        )
    ),
    "security-object-missing": Attack(card=lambda: CardDraft(files={"EF.SOD": None})),
    "security-object-with-sha-1": Attack(card=signed(scheme=ecdsa("sha1"))),
    "security-object-with-sha-224": Attack(card=signed(scheme=ecdsa("sha224"))),
    "security-object-with-pkcs1": Attack(card=signed(scheme=pkcs1("sha256"))),
    "security-object-with-pkcs1-by-leave": Attack(card=signed(scheme=pkcs1("sha256"))),
    "security-object-with-sha-1-by-leave": Attack(card=signed(scheme=ecdsa("sha1"))),
    "security-object-lists-twice": Attack(card=signed(lds_hashes=listed_twice)),
    "security-object-without-time": Attack(card=signed(attributes={SIGNING_TIME_OID: None})),
    "security-object-without-status": Attack(card=signed(attributes={STATUS_REFERENCE: None})),
    "security-object-signed-tomorrow": Attack(
        card=signed(attributes={SIGNING_TIME_OID: utc("260301080000Z")})
    ),
    "file-truncated": Attack(card=truncated("EF.DG11", "A0000002471001/010B")),
    "record-truncated": Attack(card=truncated("EF.DG13", "A0000002471001/010D")),
    "file-hidden": Attack(card=hiding(12)),
    "record-hidden": Attack(card=hiding(13)),
    "file-exchanged": Attack(card=exchanged),
    "file-never-signed": Attack(card=lambda: CardDraft(unlisted=frozenset({"EF.DG12"}))),
    "signer-revoked": Attack(card=revoked_signer),
    "revocation-list-old": Attack(card=old_list),
    "revocation-list-of-another": Attack(card=list_of_another),
    "policy-without-purpose": Attack(card=CardDraft),
}
