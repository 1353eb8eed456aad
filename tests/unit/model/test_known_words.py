"""Words that were met before are not cut again, and every text is cut as the tokenizer cuts it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.normalizers import NFC, BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, Metaspace

from stream.model.known_words import KnownWords, cuts_word_by_word
from stream.settings import load_settings
from stream.text import normalize
from training.encoders.vocabulary import learn_tokenizer

LONGEST = 12
WORDS = [
    "чайник",
    "чайники",
    "тёплый",
    "iphone15",
    "50/56",
    "[UNK]",
    "[SEP]x",
    "!",
    "?!",
    "e\u0301",
]


def bundled():
    return Tokenizer.from_file(str(load_settings().model.folder / "tokenizer.json"))


def truncating(tokenizer):
    tokenizer.enable_truncation(LONGEST)
    return tokenizer


def counting(tokenizer):
    """A tokenizer that tells how many texts it was asked to cut."""

    class Counting:
        asked = 0

        def __getattr__(self, name):
            return getattr(tokenizer, name)

        def encode_batch_fast(self, texts, **options):
            self.asked += len(texts)
            return tokenizer.encode_batch_fast(texts, **options)

    return Counting()


KNOWN, LIBRARY = KnownWords(bundled(), LONGEST, most_letters=200), truncating(bundled())


@given(st.lists(st.lists(st.sampled_from(WORDS) | st.text(max_size=8)).map(" ".join), max_size=6))
@example(["", " ", "а  б", "\u0301 а", "слово\nдругое\tтретье", "а" * 300])
def test_every_text_is_cut_as_the_tokenizer_cuts_it(texts):
    for read in (texts, [normalize(text) for text in texts]):
        assert KNOWN.cut(read) == [row.ids for row in LIBRARY.encode_batch_fast(read)]


def test_berts_own_normalizer_changes_no_neighbouring_word():
    tokenizers = bundled(), truncating(bundled())
    for tokenizer in tokenizers:
        tokenizer.normalizer = BertNormalizer()
    assert cuts_word_by_word(tokenizers[0])
    texts = ["Тёплый ЧАЙНИК 茶壶ок \u0301 e\u0301", "a\u200bb", ""]
    expected = [row.ids for row in tokenizers[1].encode_batch_fast(texts)]
    assert KnownWords(tokenizers[0], LONGEST).cut(texts) == expected


def test_a_word_is_cut_once():
    tokenizer = counting(bundled())
    known = KnownWords(tokenizer, LONGEST)
    known.cut(["чайник кипит", "чайник шумит"])
    known.cut(["шумит чайник"])
    assert tokenizer.asked == 3


def test_no_more_letters_are_kept_than_may_be():
    tokenizer = counting(bundled())
    known = KnownWords(tokenizer, LONGEST, most_letters=10)
    known.cut(["а" * 1000])
    known.cut(["а" * 1000])
    known.cut(["чайник"])
    known.cut(["чайник"])
    assert tokenizer.asked == 3


def test_threads_that_share_it_disturb_nobody():
    known, library = KnownWords(bundled(), LONGEST, most_letters=50), truncating(bundled())
    texts = [f"чайник {number} кипит {number % 7}" for number in range(400)]
    with ThreadPoolExecutor(8) as threads:
        cut = list(threads.map(known.cut, [[text] for text in texts]))
    assert cut == [[row.ids] for row in library.encode_batch_fast(texts)]


def test_a_tokenizer_of_reviews_cuts_word_by_word():
    assert cuts_word_by_word(bundled())
    assert cuts_word_by_word(learn_tokenizer(["чайник кипит"] * 3))


@pytest.mark.parametrize(
    "change",
    [
        lambda one: setattr(one, "pre_tokenizer", Metaspace()),
        lambda one: setattr(one, "normalizer", NFC()),
        lambda one: setattr(one, "model", BPE()),
        lambda one: one.add_tokens(["два слова"]),
    ],
    ids=["another pre-tokenizer", "another normalizer", "another model", "a token of two words"],
)
def test_a_tokenizer_that_may_look_past_a_space_is_asked_for_each_text(change):
    tokenizer = learn_tokenizer(["чайник кипит"] * 3)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    change(tokenizer)
    assert not cuts_word_by_word(tokenizer)
