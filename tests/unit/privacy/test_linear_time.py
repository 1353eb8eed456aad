"""Nobody makes masking slow: four times the text takes about four times as long, not sixteen."""

import time
from typing import get_args

import pytest

from stream.privacy import Kind, redact

SHORT, LONG = 50_000, 200_000
# Beginnings of what is looked for, again and again, and what stands between its parts.
PIECES = [
    " ", "\n", "1", "8 ", "8 912 ", "1_", "8-----", "+(", "4444 ", "4111 1111 1111 1112 ", "9OOO",
    "a@", "a@a.", "a.", "@", "a at ", "a собака ", "@abc", "vk ", "t.me/", "RU12 ", "ABCD1234", "a-",
    "ул", "ул. ", "ул. Ленина ", "Ленина ", "Невский проспект ", "г. Москва, ", "630099, ", "кв. 5 ",
    "д. 5 ", "д. 5, к. 3, ", "5 мкр ", "живу на Ленина ", "тел ", "тел 12345 ", "один ",
    "\u200b", "8\u200b", "👩", "[", "[phone",
]  # fmt: skip


def seconds(text):
    times = []
    for _ in range(3):
        started = time.process_time()
        redact(text, get_args(Kind))
        times.append(time.process_time() - started)
    return min(times)


@pytest.mark.parametrize("piece", PIECES, ids=ascii)
def test_time_grows_with_the_text_and_no_faster(piece):
    text = piece * (LONG // len(piece) + 1)
    # Below a fiftieth of a second the clock tells more of the machine than of the pattern.
    short = max(seconds(text[:SHORT]), 0.02)
    assert seconds(text[:LONG]) < 10 * short
