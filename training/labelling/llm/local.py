"""A causal language model from a local folder: the probability of each id as the next token.

Nothing is generated, so nothing can be malformed: the model only says how likely each id is to follow
the prompt. Where ids have several tokens, their likelihoods are multiplied token by token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas import all_categories, category_count
from training.encoders.checkpoints import local_checkpoint
from training.errors import LabellerUnavailable
from training.labelling.llm.prompt import messages
from training.labelling.votes import NOT_ASKED, Votes

_ANSWER_START: Final = '{"category": '
# The whole prompt is about 900 tokens; a batch of four keeps a 7B model's activations small.
_BATCH: Final = 4
# What is less likely is not followed further: its ids share it evenly.
_LEAST_MASS: Final = 0.01


class LocalCausalLabeller:
    """Votes with the next-token distribution of a transformers causal model."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        import torch  # noqa: PLC0415 - seconds and gigabytes that only this labeller needs
        from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415 - likewise

        self._torch = torch
        self._device = device
        self._folder = folder
        checkpoint = local_checkpoint(str(folder))
        self._tokenizer: Any = AutoTokenizer.from_pretrained(checkpoint)
        model: Any = AutoModelForCausalLM.from_pretrained(checkpoint)
        self._model = model.eval().to(device)
        self._answers = _Answers([self._answer_tokens(c.id) for c in all_categories()])

    @property
    def name(self) -> str:
        """Name of the model's folder."""
        return self._folder.name

    def known(self, texts: Sequence[str]) -> Votes:
        """Abstain: this model keeps no records."""
        return Votes.abstention(len(texts), NOT_ASKED)

    def label(self, texts: Sequence[str]) -> Votes:
        """Vote on normalised texts."""
        rows = []
        for start in range(0, len(texts), _BATCH):
            rows += self._batch(texts[start : start + _BATCH])
        if not rows:
            return Votes.abstention(0, "")
        probabilities = np.asarray(rows, dtype=np.float32)
        reasons = tuple(
            f"{self.name} expects {all_categories()[int(row.argmax())].info.name('en')}"
            for row in probabilities
        )
        return Votes(probabilities, reasons)

    def _batch(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """Return the probability of each id after each prompt."""
        prompts = [self._ids(text) for text in texts]
        found = np.zeros((len(prompts), category_count()))
        undecided: list[tuple[int, tuple[int, ...], float]] = [
            (row, (), 1.0) for row in range(len(prompts))
        ]
        while undecided:
            logits = self._next([[*prompts[row], *begun] for row, begun, _ in undecided])
            following = []
            for (row, begun, mass), scores in zip(undecided, logits, strict=True):
                children = self._answers.following(begun)
                chosen = scores[list(children)]
                weights = np.exp(chosen - chosen.max())
                for (token, ids), share in zip(
                    children.items(), weights / weights.sum(), strict=True
                ):
                    if len(ids) == 1 or mass * share < _LEAST_MASS:
                        found[row, ids] += mass * share / len(ids)
                    else:
                        following.append((row, (*begun, token), mass * float(share)))
            undecided = following[:]
        return list((found / found.sum(axis=1, keepdims=True)).astype(np.float32))

    def _next(self, sequences: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Return the logits of the token after each sequence, float64 [sequences, vocabulary]."""
        return np.concatenate(
            [
                self._next_of(sequences[start : start + _BATCH])
                for start in range(0, len(sequences), _BATCH)
            ]
        )

    def _next_of(self, sequences: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        torch = self._torch
        width = max(map(len, sequences))
        ids = torch.zeros((len(sequences), width), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, sequence in enumerate(sequences):
            ids[row, : len(sequence)] = torch.tensor(sequence)
            mask[row, : len(sequence)] = 1
        with torch.inference_mode():
            logits = self._model(
                input_ids=ids.to(self._device), attention_mask=mask.to(self._device)
            ).logits
        last = mask.sum(1) - 1
        after: NDArray[np.float64] = (
            logits[torch.arange(len(sequences)), last].double().cpu().numpy()
        )
        return after

    def _ids(self, text: str) -> list[int]:
        chat = messages(text)
        if self._tokenizer.chat_template:
            prompt = self._tokenizer.apply_chat_template(
                chat, tokenize=False, add_generation_prompt=True
            )
        else:
            prompt = "\n\n".join(message["content"] for message in chat) + "\n\n"
        ids = self._tokenizer(prompt + _ANSWER_START, add_special_tokens=False)["input_ids"]
        return list(ids)

    def _answer_tokens(self, category: int) -> tuple[int, ...]:
        """Return the tokens of an id and of the brace that ends the answer."""
        begun = self._tokenizer(_ANSWER_START, add_special_tokens=False)["input_ids"]
        whole = self._tokenizer(f"{_ANSWER_START}{category}}}", add_special_tokens=False)[
            "input_ids"
        ]
        same = next(
            (i for i, (a, b) in enumerate(zip(begun, whole, strict=False)) if a != b), len(begun)
        )
        return tuple(whole[same:])


class _Answers:
    """Which tokens may follow the beginning of an answer, and which ids each leads to."""

    def __init__(self, tokens: Sequence[tuple[int, ...]]) -> None:
        """Lay out the answers.

        Raises:
            LabellerUnavailable: two answers have the same tokens.
        """
        if len(set(tokens)) < len(tokens):
            raise LabellerUnavailable(
                "the tokenizer of the local model does not tell digits apart", "use another model"
            )
        self._following: dict[tuple[int, ...], dict[int, list[int]]] = {}
        for category, answer in enumerate(tokens):
            for place, token in enumerate(answer):
                branches = self._following.setdefault(answer[:place], {})
                branches.setdefault(token, []).append(category)

    def following(self, begun: tuple[int, ...]) -> Mapping[int, list[int]]:
        """Return the tokens that may come next, with the ids that each can still become."""
        return self._following[begun]
