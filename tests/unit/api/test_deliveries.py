"""The words for what can go wrong with a callback."""

from alo_operator.api import limits
from alo_operator.api.deliveries import MEANING, DeliveryError


def test_every_word_is_explained():
    """Once, in a sentence; and it leaves room for one in status."""
    assert set(MEANING) == set(DeliveryError)
    assert all(meaning.endswith(".") for meaning in MEANING.values())
    assert max(map(len, DeliveryError)) < limits.DELIVERY_ERROR / 4
