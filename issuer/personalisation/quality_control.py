"""Quality control: read a card as any terminal would, and compare every byte (SPEC.md 8.7)."""

from dataclasses import dataclass

from card_layout.atr import LifeCycle, read_life_cycle
from card_layout.errors import AccessError, CardDataError, CardRefusedError
from card_layout.files.card_access import CardAccess
from card_layout.iso7816.channel import CardChannel
from card_layout.profile import AccessRule, CardProfile, FileProfile
from card_layout.protocols.basic_access_control import perform_basic_access_control
from card_layout.protocols.chip_authentication import perform_chip_authentication
from card_layout.protocols.file_reading import read_file_to_end, select_application
from card_layout.protocols.pace import PacePassword, perform_pace
from card_layout.transport.connection import CardConnection
from issuer.domain.card_files import (
    chip_authentication_info,
    chip_key_info,
    master_file_contents,
)
from issuer.domain.card_job import CardJob
from issuer.domain.production_errors import CardRejectedError
from issuer.personalisation.native import card_channel

__all__ = ["BasicAccessQualityControl", "TerminalQualityControl"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalQualityControl:
    """Reads over PACE with the CAN; keeps no state of a card."""

    profile: CardProfile

    def read_back(self, connection: CardConnection, job: CardJob) -> None:
        """See ``QualityControl.read_back``.

        1. Reset; the files of the master file are read in plain and compared.
        2. PACE with the CAN, on the parameters that the card itself announces.
        3. Chip authentication with the key that the chip made when it was initialised: the first file read
           under the new keys proves it.
        4. Every file of the application is read and compared. Files that need a terminal right are read before the
           lock, when the chip gives them under the password (SPEC.md 8.4), and left out of a locked card.
        """
        life_cycle = read_life_cycle(connection.reset())
        channel = card_channel(connection, self.profile)
        master_files = master_file_contents(self.profile)
        for file in self.profile.master_files:
            _compare(channel, file, master_files[file.name])
        self._open(channel, job, master_files["EF.CardAccess"])
        for file in self.profile.application_files:
            if life_cycle is LifeCycle.OPERATIONAL and file.read is AccessRule.TERMINAL:
                continue
            _compare(channel, file, job.contents[file.name])

    def _open(self, channel: CardChannel, job: CardJob, card_access: bytes) -> None:
        announced = CardAccess.from_bytes(card_access).security_infos.pace_infos[0]
        try:
            perform_pace(channel, pace_info=announced, password=PacePassword.can(job.secrets.can))
            select_application(channel, self.profile.application_identifier)
            perform_chip_authentication(
                channel,
                info=chip_authentication_info(self.profile),
                public_key_info=chip_key_info(job.chip_key),
            )
        except (AccessError, CardRefusedError, CardDataError) as error:
            raise CardRejectedError(
                f"the card does not open as a terminal opens it: {error} [{error.code}]",
                code="quality-control.access",
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicAccessQualityControl:
    """Reads over basic access control with the machine-readable zone; keeps no state of a card."""

    profile: CardProfile

    def read_back(self, connection: CardConnection, job: CardJob) -> None:
        """See ``QualityControl.read_back``.

        1. Reset; the application is selected and opened by basic access control.
        2. Chip authentication with the key that was injected: the first file read under the new keys proves it.
        3. Every file is read and compared, with the zeros behind it.
        """
        connection.reset()
        channel = card_channel(connection, self.profile)
        try:
            select_application(channel, self.profile.application_identifier)
            perform_basic_access_control(channel, information=job.mrz_information)
            perform_chip_authentication(
                channel,
                info=chip_authentication_info(self.profile),
                public_key_info=chip_key_info(job.chip_key),
                allow_triple_des=True,
            )
        except (AccessError, CardRefusedError, CardDataError) as error:
            raise CardRejectedError(
                f"the card does not open as a terminal opens it: {error} [{error.code}]",
                code="quality-control.access",
            ) from error
        for file in self.profile.application_files:
            _compare(channel, file, job.contents[file.name], is_filled_up=True)


def _compare(
    channel: CardChannel, file: FileProfile, expected: bytes, *, is_filled_up: bool = False
) -> None:
    """Compare one file; ``is_filled_up`` where the chip shows all its capacity, the rest of it zeros."""
    try:
        content = read_file_to_end(
            channel,
            short_identifier=file.short_identifier,
            file_identifier=file.file_identifier,
            maximum_bytes=file.capacity + 1,
        )
    except AccessError as error:
        raise CardRejectedError(
            f"{file.name} comes under wrong keys: the chip does not prove its key",
            code="quality-control.chip-not-proven",
        ) from error
    except (CardRefusedError, CardDataError) as error:
        raise CardRejectedError(
            f"{file.name} cannot be read: {error} [{error.code}]",
            code="quality-control.unreadable",
        ) from error
    if content != (expected.ljust(file.capacity, b"\x00") if is_filled_up else expected):
        raise CardRejectedError(
            f"{file.name} is not what was written", code="quality-control.differs"
        )
