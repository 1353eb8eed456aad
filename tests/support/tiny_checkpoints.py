"""Small transformers checkpoints, made in no time: an NLI model that knows nine words, a causal one.

Each is a real checkpoint in a folder, loaded by transformers as any other is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Split
from tokenizers.processors import TemplateProcessing
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from tests.support.tiny_model import KEYWORDS

# Two dimensions a category, and room for the verdict.
_WIDTH = 32
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def write_nli(folder: Path, hypotheses: Sequence[str], templates: Sequence[str]) -> Path:
    """Write a model by which a category's keyword entails the hypothesis about the category.

    Nothing is trained: attention takes the mean of all tokens, and one neuron a category fires if
    both its keyword and the last word of its phrase are in it. Norms make that independent of the
    length, so that the answers can be worked out by hand.

    Args:
        folder: where to write it.
        hypotheses: nine phrases, by category id.
        templates: sentences with {} for the phrase.
    """
    sentences = [template.format(phrase) for template in templates for phrase in hypotheses]
    tokenizer = _tokenizer([*KEYWORDS, *sentences], pair=True)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=_WIDTH,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=len(KEYWORDS),
        hidden_act="relu",
        max_position_embeddings=64,
        id2label={0: "not_entailment", 1: "entailment"},
        label2id={"not_entailment": 0, "entailment": 1},
    )
    model = BertForSequenceClassification(config)
    keywords = tokenizer.convert_tokens_to_ids(list(KEYWORDS))
    phrases = tokenizer.convert_tokens_to_ids([phrase.split()[-1] for phrase in hypotheses])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "LayerNorm" not in name:
                parameter.zero_()
        layer = model.bert.encoder.layer[0]
        for dense in (layer.attention.self.value, layer.attention.output.dense):
            dense.weight.copy_(torch.eye(_WIDTH))
        words = model.bert.embeddings.word_embeddings.weight
        # A pair of ones is 3.9 each after the norm, a single one 5.6: only a pair exceeds 6.5.
        layer.intermediate.dense.bias.fill_(-6.5)
        for i, (keyword, phrase) in enumerate(zip(keywords, phrases, strict=True)):
            words[keyword, 2 * i] = words[phrase, 2 * i + 1] = 1.0
            layer.intermediate.dense.weight[i, 2 * i : 2 * i + 2] = 1.0
            layer.output.dense.weight[-1, i] = 20.0
        model.bert.pooler.dense.weight[0, -1] = 1.0
        model.classifier.weight[1, 0] = 6.0
    return _save(folder, model, tokenizer)


def write_causal(folder: Path, *, digits: str = "012345678") -> Path:
    """Write an untrained causal model whose tokenizer tells these digits apart."""
    torch.manual_seed(0)
    tokenizer = _tokenizer(list(digits) + list('{}":category review'), pair=False)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=4096,
    )
    return _save(folder, LlamaForCausalLM(config), tokenizer)


def _tokenizer(texts: Sequence[str], *, pair: bool) -> PreTrainedTokenizerFast:
    cut = Split(Regex(r"\w+|[^\w\s]") if pair else Regex("."), "removed", invert=True)
    words = {word for text in texts for word, _ in cut.pre_tokenize_str(text.lower())}
    vocabulary = {word: i for i, word in enumerate((*_SPECIAL, *sorted(words)))}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = cut
    if pair:
        tokenizer.post_processor = TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )


def _save(folder: Path, model: torch.nn.Module, tokenizer: PreTrainedTokenizerFast) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
