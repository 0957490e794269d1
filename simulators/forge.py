"""Cards that a verifier must refuse: each made from an issued card by what one attacker can do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random
from types import MappingProxyType

from card_layout.files.data_group_13 import MemberRecord
from card_layout.profile import CardProfile, load_profile
from pki.signed.security_object import StatusReference
from simulators.authority import SignerKind, TestAuthority
from simulators.image import CardImage
from simulators.issued_image import DEFAULT_PROFILE, draw_chip_key, issue_image, sign_image
from simulators.population.member import SyntheticMember, draw_member

__all__ = ["ForgeKind", "Forgery", "forge"]

_UNLISTED_GROUP = 12


class ForgeKind(StrEnum):
    """What was done to the card."""

    ALTERED_DATA_GROUP = "altered-data-group"
    UNLISTED_FILE = "unlisted-file"
    CLONE = "clone"
    UNKNOWN_AUTHORITY = "unknown-authority"
    EXPIRED_SIGNER = "expired-signer"
    REVOKED_SIGNER = "revoked-signer"
    BAC_ONLY = "bac-only"
    CHIP_AUTHENTICATION_REFUSED = "chip-authentication-refused"

    @property
    def expected_code(self) -> str:
        """The stable code with which a verifier must refuse the card."""
        return _EXPECTED_CODES[self]


_EXPECTED_CODES = {
    ForgeKind.ALTERED_DATA_GROUP: "data-group.altered",
    ForgeKind.UNLISTED_FILE: "data-group.not-covered",
    ForgeKind.CLONE: "chip.not-proven",
    ForgeKind.UNKNOWN_AUTHORITY: "signer.authority-unknown",
    ForgeKind.EXPIRED_SIGNER: "signer.expired-at-signing",
    ForgeKind.REVOKED_SIGNER: "signer.revoked",
    ForgeKind.BAC_ONLY: "access.pace-required",
    ForgeKind.CHIP_AUTHENTICATION_REFUSED: "chip-authentication.not-performed",
}


@dataclass(frozen=True, kw_only=True)
class Forgery:
    """A card in the making: the genuine image, and what the forger has at hand."""

    image: CardImage
    profile: CardProfile
    authority: TestAuthority
    status_reference: StatusReference

    def signed_again(
        self,
        *,
        authority: TestAuthority | None = None,
        signer: SignerKind = SignerKind.CURRENT,
        without: frozenset[int] = frozenset(),
    ) -> CardImage:
        """The image with a security object by another key or over fewer files, all else as it was."""
        return sign_image(
            self.image,
            profile=self.profile,
            authority=self.authority if authority is None else authority,
            signer=signer,
            signing_time=self.authority.created_at,
            status_reference=self.status_reference,
            without=without,
        )


def forge(
    kind: ForgeKind,
    *,
    authority: TestAuthority,
    random: Random,
    can: str | None = None,
    member: SyntheticMember | None = None,
    profile: CardProfile | str = DEFAULT_PROFILE,
) -> CardImage:
    """Issue a card and do to it what ``kind`` says.

    Args:
        kind: what the attacker did.
        authority: the authority under which the genuine card was issued.
        random: where chance comes from.
        can: six digits; drawn where absent.
        member: whose card it is; drawn where absent.
        profile: the card profile, or its name.
    """
    chosen = load_profile(profile) if isinstance(profile, str) else profile
    holder = (
        draw_member(random, serial_number=random.randrange(1, 1_000_000))
        if member is None
        else member
    )
    reference = StatusReference(list_id=random.randbytes(8), index=random.randrange(1 << 20))
    image = issue_image(
        holder,
        authority=authority,
        profile=chosen,
        random=random,
        can=can,
        status_reference=reference,
    )
    forgery = Forgery(image=image, profile=chosen, authority=authority, status_reference=reference)
    return _FORGERS[kind](forgery)


def altered_data_group(forgery: Forgery) -> CardImage:
    """One digit of the card number in EF.DG13 was changed; everything still decodes, and the old signature stays."""
    path = forgery.profile.file("EF.DG13").path
    file = forgery.image.files[path]
    record = MemberRecord.from_bytes(file.data)
    digit = (int(record.card_number[-1]) + 1) % 10
    altered = replace(record, card_number=f"{record.card_number[:-1]}{digit}")
    return forgery.image.with_file(path, replace(file, data=altered.to_bytes()))


def unlisted_file(forgery: Forgery) -> CardImage:
    """EF.DG12 was put on a card that was signed without it, and EF.COM was made to name it."""
    return forgery.signed_again(without=frozenset({_UNLISTED_GROUP}))


def clone(forgery: Forgery) -> CardImage:
    """Every file was copied to another chip; the private key does not come out, so that chip made its own."""
    (original,) = forgery.image.keys.chip_authentication
    own = draw_chip_key(original.curve)
    keys = replace(forgery.image.keys, chip_authentication=(own,))
    return replace(forgery.image, keys=keys)


def unknown_authority(forgery: Forgery) -> CardImage:
    """The forger made an authority of his own, of the same name, and signed everything properly with it."""
    imitated = forgery.authority
    own = TestAuthority.create(now=imitated.created_at, name=imitated.name)
    return forgery.signed_again(authority=own)


def expired_signer(forgery: Forgery) -> CardImage:
    """An old document signer's key was used after its certificate had ended."""
    return forgery.signed_again(signer=SignerKind.EXPIRED)


def revoked_signer(forgery: Forgery) -> CardImage:
    """A document signer's key was stolen; the signer was revoked, and the thief signs on."""
    return forgery.signed_again(signer=SignerKind.REVOKED)


def bac_only(forgery: Forgery) -> CardImage:
    """EF.CardAccess was left out, so that a lenient terminal falls back to the weak access of old passports."""
    path = forgery.profile.file("EF.CardAccess").path
    files = {name: file for name, file in forgery.image.files.items() if name != path}
    return replace(forgery.image, files=files)


def chip_authentication_refused(forgery: Forgery) -> CardImage:
    """Every file was copied to a chip without any key, which refuses chip authentication (SPEC.md, 5.4)."""
    keys = replace(forgery.image.keys, chip_authentication=())
    return replace(forgery.image, keys=keys)


_FORGERS: Mapping[ForgeKind, Callable[[Forgery], CardImage]] = MappingProxyType(
    {
        ForgeKind.ALTERED_DATA_GROUP: altered_data_group,
        ForgeKind.UNLISTED_FILE: unlisted_file,
        ForgeKind.CLONE: clone,
        ForgeKind.UNKNOWN_AUTHORITY: unknown_authority,
        ForgeKind.EXPIRED_SIGNER: expired_signer,
        ForgeKind.REVOKED_SIGNER: revoked_signer,
        ForgeKind.BAC_ONLY: bac_only,
        ForgeKind.CHIP_AUTHENTICATION_REFUSED: chip_authentication_refused,
    }
)
