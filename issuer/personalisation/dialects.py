"""Which dialect and which quality control the chips of a profile need."""

from card_layout.profile import CardProfile, PersonalisationDialect
from issuer.personalisation.jmrtd import JmrtdDialect
from issuer.personalisation.native import NativeDialect
from issuer.personalisation.quality_control import (
    BasicAccessQualityControl,
    TerminalQualityControl,
)
from issuer.services.production_ports import ChipDialect, QualityControl

__all__ = ["dialect_of", "quality_control_of"]


def dialect_of(profile: CardProfile) -> ChipDialect:
    """How plans are said to chips of the profile."""
    if profile.personalisation.dialect is PersonalisationDialect.JMRTD:
        return JmrtdDialect(profile=profile)
    return NativeDialect(profile=profile)


def quality_control_of(profile: CardProfile) -> QualityControl:
    """How cards of the profile are read back: as a terminal opens them."""
    if profile.pace_curve is None:
        return BasicAccessQualityControl(profile=profile)
    return TerminalQualityControl(profile=profile)
