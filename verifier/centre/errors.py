"""What the central service refuses or cannot do; the HTTP edge gives each code its status."""

from verifier.errors import VerifierError

__all__ = ["CentreError"]


class CentreError(VerifierError):
    """Something that the central service refuses or cannot do."""

    default_code = "centre.refused"
