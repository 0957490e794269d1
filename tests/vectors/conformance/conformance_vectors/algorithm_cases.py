"""EF.SOD: every way of signing it, those that are taken and those that no policy takes."""

from functools import cache

from conformance_vectors.bench import CardDraft, Case, accepted, refused
from conformance_vectors.security_object_cases import NOT_ALLOWED, OTHERS
from conformance_vectors.security_objects import (
    DSA_OIDS,
    HASHES,
    Scheme,
    SecurityObjectDraft,
    ecdsa,
    pkcs1,
    pss,
)
from cryptography.hazmat.primitives.asymmetric import dsa
from lint_vectors import drafts
from lint_vectors.drafts import algorithm

_ONLY_OTHERS = "; taken where the policy says allow_other_signatures"
_SHA_1 = "; SHA-1 is refused by every policy, because collisions of it can be made (the catalogue's own verdict is older)"
_DSA = "; DSA is refused by every policy, because nobody issues with it any more (NIST FIPS 186-5 withdrew it)"


def taken(scheme: Scheme, reason: str) -> Case:
    """Accepted by the policy of our own cards."""
    return accepted(lambda: CardDraft(security_object=SecurityObjectDraft(scheme=scheme)), reason)


def taken_by_leave(scheme: Scheme, reason: str) -> Case:
    """Accepted where the policy allows it; the test of this module shows that else it is refused."""
    card = CardDraft(security_object=SecurityObjectDraft(scheme=scheme), policy=OTHERS)
    return accepted(lambda: card, reason + _ONLY_OTHERS)


def never_taken(scheme: Scheme, reason: str) -> Case:
    """Refused even where the policy allows other algorithms."""
    card = CardDraft(security_object=SecurityObjectDraft(scheme=scheme), policy=OTHERS)
    return refused(lambda: card, NOT_ALLOWED, reason=reason)


@cache
def dsa_key() -> dsa.DSAPrivateKey:
    return dsa.generate_private_key(2048)


def dsa_with(hash_name: str) -> Scheme:
    make = HASHES[hash_name][1]
    oid = DSA_OIDS.get(hash_name, "1.2.840.10040.4.3")
    return Scheme(
        hash_name=hash_name,
        identifier=algorithm(oid),
        is_rsa=False,
        sign=lambda content: dsa_key().sign(content, make()),
    )


def signed_by_rsa_authority() -> CardDraft:
    """The authority signs the signer's certificate with RSASSA-PSS, the signer the security object with ECDSA."""
    scheme = pss("sha256")
    named = {"inner_algorithm": scheme.identifier, "outer_algorithm": scheme.identifier}

    def by_rsa(draft: drafts.SignedDraft) -> drafts.SignedDraft:
        chosen = draft.having(**named)
        return chosen.having(signature=scheme.sign(chosen.content()))

    authority = by_rsa(drafts.csca_root().having(public_key=scheme.public_key()))
    signer = by_rsa(drafts.document_signer())
    return CardDraft(
        authority=authority,
        revocation_list=by_rsa(drafts.crl()),
        security_object=SecurityObjectDraft(signer=signer),
    )


ALGORITHM_CASES: dict[str, Case] = {
    "LDS_H_01": never_taken(pkcs1("sha1"), "RSASSA-PKCS1-v1_5 with SHA-1" + _SHA_1),
    "LDS_H_02": never_taken(pss("sha1"), "RSASSA-PSS with SHA-1" + _SHA_1),
    "LDS_H_03": taken(pss("sha256"), "RSASSA-PSS with SHA-256"),
    "LDS_H_04": taken_by_leave(pkcs1("sha224"), "RSASSA-PKCS1-v1_5 with SHA-224"),
    "LDS_H_05": taken_by_leave(pkcs1("sha256"), "RSASSA-PKCS1-v1_5 with SHA-256"),
    "LDS_H_06": taken_by_leave(pkcs1("sha384"), "RSASSA-PKCS1-v1_5 with SHA-384"),
    "LDS_H_07": taken_by_leave(pkcs1("sha512"), "RSASSA-PKCS1-v1_5 with SHA-512"),
    "LDS_H_08": never_taken(dsa_with("sha1"), "DSA with SHA-1" + _DSA),
    "LDS_H_09": never_taken(ecdsa("sha1"), "ECDSA with SHA-1" + _SHA_1),
    "LDS_H_10": never_taken(ecdsa("sha1", plain=True), "plain ECDSA with SHA-1" + _SHA_1),
    "LDS_H_11": taken_by_leave(ecdsa("sha224", plain=True), "plain ECDSA with SHA-224"),
    "LDS_H_12": taken_by_leave(ecdsa("sha256", plain=True), "plain ECDSA with SHA-256"),
    "LDS_H_13": taken_by_leave(ecdsa("sha384", plain=True), "plain ECDSA with SHA-384"),
    "LDS_H_14": taken_by_leave(ecdsa("sha512", plain=True), "plain ECDSA with SHA-512"),
    "LDS_H_70": taken_by_leave(ecdsa("sha224"), "ECDSA with SHA-224"),
    "LDS_H_71": taken(ecdsa("sha256"), "ECDSA with SHA-256, as our own cards have it"),
    "LDS_H_72": taken(ecdsa("sha384"), "ECDSA with SHA-384"),
    "LDS_H_73": taken(ecdsa("sha512"), "ECDSA with SHA-512"),
    "LDS_H_75": taken(
        pss("sha256"),
        "the security object is signed with RSASSA-PSS, its signer's certificate with ECDSA",
    ),
    "LDS_H_76": accepted(
        signed_by_rsa_authority,
        "the security object is signed with ECDSA, its signer's certificate with RSASSA-PSS",
    ),
    "LDS_H_77": taken(
        ecdsa("sha512"),
        "the security object is signed with ECDSA and SHA-512, its signer's certificate with ECDSA and SHA-256",
    ),
    "LDS_H_78": taken_by_leave(
        pkcs1("sha512"),
        "the security object is signed with RSASSA-PKCS1-v1_5 and SHA-512, its signer's certificate with ECDSA and SHA-256",
    ),
    "LDS_H_79": never_taken(
        pkcs1("sha1", named_by_key=True),
        "RSASSA-PKCS1-v1_5 with SHA-1, named by rsaEncryption" + _SHA_1,
    ),
    **{
        f"LDS_H_{number}": taken_by_leave(
            pkcs1(f"sha{bits}", named_by_key=True),
            f"RSASSA-PKCS1-v1_5 with SHA-{bits}, named by rsaEncryption",
        )
        for number, bits in ((80, 224), (81, 256), (82, 384), (83, 512))
    },
    "LDS_H_94": taken_by_leave(pss("sha224"), "RSASSA-PSS with SHA-224"),
    "LDS_H_95": taken_by_leave(pss("sha384"), "RSASSA-PSS with SHA-384"),
    "LDS_H_96": taken_by_leave(pss("sha512"), "RSASSA-PSS with SHA-512"),
    "LDS_H_97": never_taken(dsa_with("sha224"), "DSA with SHA-224" + _DSA),
    "LDS_H_98": never_taken(dsa_with("sha256"), "DSA with SHA-256" + _DSA),
}
