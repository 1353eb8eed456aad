"""Nobody makes masking slow: sixteen times the text takes about sixteen times as long, not 256."""

import time
from typing import get_args

import pytest

from stream.privacy import Kind, redact

pytestmark = pytest.mark.slow

SHORT, LONG = 25_000, 400_000
# Between 16 and 256, as far from both as their ratios: caches and neighbours cost linear code some.
AT_MOST = 64
# Below this, in seconds, the clock tells more of the machine than of the pattern.
SHORTEST = 0.005
ROUNDS = 3
# Beginnings of what is looked for, again and again, and what stands between its parts.
PIECES = [
    " ", "\n", "1", "8 ", "8 912 ", "1_", "8-----", "+(", "4444 ", "4111 1111 1111 1112 ", "9OOO",
    "a@", "a@a.", "a.", "@", "a at ", "a собака ", "@abc", "vk ", "t.me/", "RU12 ", "ABCD1234", "a-",
    "ул", "ул. ", "ул. Ленина ", "Ленина ", "Невский проспект ", "г. Москва, ", "630099, ", "кв. 5 ",
    "д. 5 ", "д. 5, к. 3, ", "5 мкр ", "живу на Ленина ", "тел ", "тел 12345 ", "один ",
    "\u200b", "8\u200b", "👩", "[", "[phone",
]  # fmt: skip


def seconds(text):
    started = time.process_time()
    redact(text, get_args(Kind))
    return time.process_time() - started


def ratio(text):
    return seconds(text[:LONG]) / max(seconds(text[:SHORT]), SHORTEST)


@pytest.mark.parametrize("piece", PIECES, ids=ascii)
def test_time_grows_with_the_text_and_no_faster(piece):
    text = piece * (LONG // len(piece) + 1)
    # A busy machine makes a round slow, never fast: the best one speaks of the code.
    assert min(ratio(text) for _ in range(ROUNDS)) < AT_MOST
