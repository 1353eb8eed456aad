"""Nobody makes masking slow: sixteen times the text takes about sixteen times as long, not 256."""

import time
from typing import get_args

import pytest

from stream.privacy import Kind, redact
from tests.support.growth import grows_at_most
from tests.support.patterns import repeated

# Measuring coverage takes three times as long as masking.
pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

SHORT, LONG = 25_000, 400_000
# Between 16 and 256, as far from both as their ratios: caches and neighbours cost linear code some.
AT_MOST = 64
# Beginnings of what is looked for, again and again, and what stands between its parts.
PIECES = [
    " ", "\n", "1", "8 ", "8 912 ", "1_", "8-----", "+(", "4444 ", "4111 1111 1111 1112 ", "9OOO",
    "a@", "a@a.", "a.", "@", "a at ", "a собака ", "@abc", "vk ", "t.me/", "RU12 ", "ABCD1234", "a-",
    "ул", "ул. ", "ул. Ленина ", "Ленина ", "Невский проспект ", "г. Москва, ", "630099, ", "кв. 5 ",
    "д. 5 ", "д. 5, к. 3, ", "5 мкр ", "живу на Ленина ", "тел ", "тел 12345 ", "один ",
    "\u200b", "8\u200b", "👩", "[", "[phone",
]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES, ids=ascii)
def test_time_grows_with_the_text_and_no_faster(piece):
    def seconds(size):
        text = repeated(piece, size)
        started = time.process_time()
        redact(text, get_args(Kind))
        return time.process_time() - started

    assert grows_at_most(AT_MOST, seconds, SHORT, LONG)
