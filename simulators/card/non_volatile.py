"""The card's non-volatile memory: replaced as a whole, stored before it counts, with its counters of wrong attempts."""

from collections.abc import Callable
from dataclasses import replace

from card_layout.atr import LifeCycle
from simulators.card.passwords import Password, with_tries
from simulators.card.status import Refused, StatusWord
from simulators.errors import ImageError
from simulators.image import CardImage

__all__ = ["MAX_WRONG_AUTHENTICATIONS", "NonVolatileMemory"]

MAX_WRONG_AUTHENTICATIONS = 10
"""So many in a row, and the card is terminated (SPEC.md, 8.1)."""

_MAX_COUNT = 0xFFFF


class NonVolatileMemory:
    """Holds the image of the card; ``store`` is called with each new one before it takes the old one's place."""

    def __init__(self, image: CardImage, store: Callable[[CardImage], None] | None) -> None:
        self._image = image
        self._store = store

    @property
    def image(self) -> CardImage:
        """The memory as it was last stored."""
        return self._image

    def commit(self, image: CardImage) -> None:
        """Store the new memory; only then is it the card's. The same memory is not stored again.

        Raises:
            Refused: 6581, it could not be stored.
        """
        if image == self._image:
            return
        if self._store is not None:
            try:
                self._store(image)
            except (ImageError, OSError) as error:
                raise Refused(StatusWord.MEMORY_FAILURE) from error
        self._image = image

    def count_wrong_password(self) -> None:
        """One more wrong password in a row."""
        self._set_wrong_passwords(min(self._image.secrets.wrong_passwords + 1, _MAX_COUNT))

    def forget_wrong_passwords(self) -> None:
        """A right one came."""
        self._set_wrong_passwords(0)

    def set_tries(self, password: Password, number: int) -> None:
        """How often a password that can be blocked may still be tried."""
        image = self._image
        self.commit(replace(image, secrets=with_tries(image.secrets, password, number)))

    def count_wrong_authentication(self) -> None:
        """One more wrong EXTERNAL AUTHENTICATE; the tenth in a row terminates the card (SPEC.md, 8.1)."""
        keys = self._image.keys.personalisation
        number = 1 + (0 if keys is None else keys.wrong_authentications)
        image = self._with_wrong_authentications(number)
        if number >= MAX_WRONG_AUTHENTICATIONS:
            image = image.with_state(LifeCycle.TERMINATED)
        self.commit(image)

    def forget_wrong_authentications(self) -> None:
        """A right one came."""
        self.commit(self._with_wrong_authentications(0))

    def _set_wrong_passwords(self, number: int) -> None:
        image = self._image
        self.commit(replace(image, secrets=replace(image.secrets, wrong_passwords=number)))

    def _with_wrong_authentications(self, number: int) -> CardImage:
        image = self._image
        keys = image.keys.personalisation
        if keys is None:
            return image
        counted = replace(keys, wrong_authentications=number)
        return replace(image, keys=replace(image.keys, personalisation=counted))
