"""A causal language model from a local folder: the probability of each id as the next token.

Nothing is generated, so nothing can be malformed: the model only says how likely each of the
digits is to follow the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from schemas import all_categories, category_count
from training.errors import LabellerUnavailable
from training.labelling.checkpoints import local_checkpoint
from training.labelling.llm.prompt import messages
from training.labelling.votes import Votes

_ANSWER_START: Final = '{"category": '
# The whole prompt is about 900 tokens; a batch of four keeps a 7B model's activations small.
_BATCH: Final = 4


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
        self._digits = [self._last_token(_ANSWER_START + str(c.id)) for c in all_categories()]
        if len(set(self._digits)) != category_count():
            raise LabellerUnavailable(
                f"the tokenizer of {folder} does not tell digits apart", "use another model"
            )

    @property
    def name(self) -> str:
        """Name of the model's folder."""
        return self._folder.name

    def known(self, texts: Sequence[str]) -> Votes:
        """Abstain: this model keeps no records."""
        return Votes.abstention(len(texts), "interrupted before it was asked")

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

    def _batch(self, texts: Sequence[str]) -> list[Any]:
        torch = self._torch
        prompts = [self._ids(text) for text in texts]
        width = max(map(len, prompts))
        ids = torch.zeros((len(prompts), width), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, : len(prompt)] = torch.tensor(prompt)
            mask[row, : len(prompt)] = 1
        with torch.inference_mode():
            logits = self._model(
                input_ids=ids.to(self._device), attention_mask=mask.to(self._device)
            ).logits
        last = mask.sum(1) - 1
        chosen = logits[torch.arange(len(prompts)), last][:, self._digits].float()
        return list(chosen.softmax(-1).cpu().numpy())

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

    def _last_token(self, text: str) -> int:
        return int(self._tokenizer(text, add_special_tokens=False)["input_ids"][-1])
