"""What is written to one card as bytes, to be sealed for the station: data objects, one behind another."""

from typing import Final

from card_layout import tlv
from card_layout.curves import EcPublicKey, NamedCurve
from card_layout.errors import CardDataError
from issuer.domain.card import REFERENCE_BYTES, CardReference
from issuer.domain.card_job import CardJob
from issuer.domain.card_secrets import CardSecrets
from issuer.domain.chip import SERIAL_BYTES, Serial
from issuer.errors import IssuerDataError, IssuerUnavailableError

__all__ = ["MAX_JOB_BYTES", "job_from_bytes", "job_to_bytes"]

MAX_JOB_BYTES: Final = 256 * 1024

_REFERENCE: Final = 0xC0
_SERIAL: Final = 0xC1
_PROFILE: Final = 0xC2
_SECRETS: Final = 0xC3
_MRZ_INFORMATION: Final = 0xC4
_CURVE: Final = 0xC5
_POINT: Final = 0xC6
_FILE: Final = 0xE1
_NAME: Final = 0xC7
_CONTENT: Final = 0xC8
_HEAD: Final = (_REFERENCE, _SERIAL, _PROFILE, _SECRETS, _MRZ_INFORMATION, _CURVE, _POINT)
_CURVES: Final = {curve.label: curve for curve in NamedCurve}


def job_to_bytes(job: CardJob) -> bytes:
    """The job; it holds everything secret about a card, and is never stored unsealed."""
    head = (
        job.reference,
        job.serial,
        job.profile.encode(),
        job.secrets.to_bytes(),
        job.mrz_information.encode("ascii"),
        job.chip_key.curve.label.encode("ascii"),
        job.chip_key.point,
    )
    return b"".join(
        tlv.encode(tag, value) for tag, value in zip(_HEAD, head, strict=True)
    ) + b"".join(
        tlv.encode(_FILE, tlv.encode(_NAME, name.encode("ascii")) + tlv.encode(_CONTENT, content))
        for name, content in sorted(job.contents.items())
    )


def job_from_bytes(encoded: bytes, *, reference: CardReference) -> CardJob:
    """Read what ``job_to_bytes`` wrote, of this card.

    Raises:
        IssuerUnavailableError: it is none, or another card's (``production.contents-damaged``).
    """
    try:
        if len(encoded) > MAX_JOB_BYTES:
            raise _damaged()
        items = tlv.parse_all(encoded)
        head, files = items[: len(_HEAD)], items[len(_HEAD) :]
        if tuple(item.tag for item in head) != _HEAD:
            raise _damaged()
        found_reference, serial, profile, secrets, mrz, curve, point = (item.value for item in head)
        if len(serial) != SERIAL_BYTES or len(found_reference) != REFERENCE_BYTES:
            raise _damaged()
        job = CardJob(
            reference=CardReference(found_reference),
            serial=Serial(serial),
            profile=profile.decode(),
            secrets=CardSecrets.from_bytes(secrets),
            mrz_information=mrz.decode("ascii"),
            contents=dict(_file(item) for item in files),
            chip_key=EcPublicKey(curve=_CURVES[curve.decode("ascii")], point=point),
        )
    except (CardDataError, IssuerDataError, ValueError, KeyError) as error:
        raise _damaged() from error
    if job.reference != reference or job_to_bytes(job) != encoded:
        raise _damaged()
    return job


def _file(item: tlv.Tlv) -> tuple[str, bytes]:
    name, content = item.children()
    if (item.tag, name.tag, content.tag) != (_FILE, _NAME, _CONTENT):
        raise _damaged()
    return name.value.decode("ascii"), content.value


def _damaged() -> IssuerUnavailableError:
    return IssuerUnavailableError(
        "what is to be written to a card is damaged, or is another card's",
        code="production.contents-damaged",
    )
