"""BERTScore (Zhang et al., 2020): how near each token of a text is to some token of a reference, in a model's eyes."""

from functools import cache
from typing import Any

import numpy as np

from thanos.errors import ThanosError

BEST_LAYERS = {"roberta-large": 17, "bert-base-uncased": 9, "distilbert-base-uncased": 5, "deberta-xlarge-mnli": 40}
"""As the authors chose them, by the last part of the model's name."""
OTHER_MODELS = 3 / 4
"""For any other model, this share of its layers: about where the authors' choices lie."""
MOST_TOKENS = 512


class BertScore:
    """An encoder and its layer. The F-measure without rescaling and without weights, as bert-score's default."""

    def __init__(self, model: str):
        """Load an encoder.

        Args:
            model: Hub id or folder.

        Raises:
            ThanosError: if it can't be loaded.
        """
        try:
            from transformers import AutoModel, AutoTokenizer
        except ModuleNotFoundError as error:
            raise ThanosError(f"BERTScore needs {error.name}: pip install 'thanos-skill-of-mind[hf]'") from None
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(model)
            self._encoder = AutoModel.from_pretrained(model).eval()
        except (OSError, ValueError) as error:
            raise ThanosError(f"can't load {model} for BERTScore: {str(error).splitlines()[0]}") from None
        layers = self._encoder.config.num_hidden_layers
        name = model.rstrip("/").rpartition("/")[2]
        self.layer = BEST_LAYERS.get(name, max(1, round(OTHER_MODELS * layers)))

    def f1(self, text: str, reference: str) -> float:
        """-1 to 1, in practice 0 to 1; 0 if one of them has no token."""
        (ours, our_words), (theirs, their_words) = self._embed(text), self._embed(reference)
        if not our_words.any() or not their_words.any():
            return 0.0
        # As in bert-score, special tokens may be what a word is nearest to, but nothing is asked of them.
        similarity = ours @ theirs.T
        precision = float(similarity[our_words].max(1).mean())
        recall = float(similarity[:, their_words].max(0).mean())
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    def _embed(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """([tokens, hidden], each of length 1; [tokens], True for those that aren't special)."""
        import torch

        inputs: Any = self._tokenizer(
            text.strip(), return_tensors="pt", truncation=True, max_length=MOST_TOKENS, return_special_tokens_mask=True
        )
        words = inputs.pop("special_tokens_mask")[0] == 0
        with torch.inference_mode():
            hidden = self._encoder(**inputs, output_hidden_states=True).hidden_states[self.layer][0]
        return torch.nn.functional.normalize(hidden.float(), dim=-1).numpy(), words.numpy()


@cache
def load_bertscore(model: str) -> BertScore:
    """Load an encoder once."""
    return BertScore(model)
