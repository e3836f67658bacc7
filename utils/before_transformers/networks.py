"""Two small networks that predict the next token: a recurrent one, and a transformer of as many parameters."""

from typing import Any

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

CELLS = {"gru": nn.GRU, "tanh": nn.RNN}
HIDDEN = 256
"""Numbers of a recurrent network's state."""
SIZES: dict[str, Any] = {"hidden_size": 128, "intermediate_size": 288, "num_hidden_layers": 3, "num_attention_heads": 4}
"""Of the transformer: with a vocabulary of 1,024, nearly as many parameters as the GRU."""
WINDOW = 512
"""The most tokens that the transformer reads."""


class Recurrent(nn.Module):
    """A network that reads a token at a time into a state of fixed size.

    A gated recurrent unit (K. Cho and others, 2014), or the plain tanh cell before it. The embedding is also the
    output matrix. cell: "gru" or "tanh".
    """

    def __init__(self, vocabulary: int, *, cell: str = "gru", seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.embedding = nn.Embedding(vocabulary, HIDDEN)
            self.cell = CELLS[cell](HIDDEN, HIDDEN, batch_first=True)
            self.output = nn.Linear(HIDDEN, vocabulary)
            nn.init.normal_(self.embedding.weight, std=0.05)
        self.output.weight = self.embedding.weight

    def read(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return logits, shape (rows, tokens, vocabulary), from the tokens' vectors, (rows, tokens, hidden)."""
        states, _ = self.cell(vectors)
        return self.output(states)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return logits, shape (rows, tokens, vocabulary), from ids, (rows, tokens)."""
        return self.read(self.embedding(ids))


class SmallTransformer(nn.Module):
    """A transformer of the default model's kind, LLaMA (H. Touvron and others, 2023), but small."""

    def __init__(self, vocabulary: int, *, seed: int = 0) -> None:
        super().__init__()
        config = LlamaConfig(
            vocab_size=vocabulary, **SIZES, max_position_embeddings=WINDOW, tie_word_embeddings=True, use_cache=False
        )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.model = LlamaForCausalLM(config)
        self.embedding = self.model.get_input_embeddings()

    def read(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return logits, shape (rows, tokens, vocabulary), from the tokens' vectors, (rows, tokens, hidden)."""
        return self.model(inputs_embeds=vectors).logits

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return logits, shape (rows, tokens, vocabulary), from ids, (rows, tokens)."""
        return self.read(self.embedding(ids))


Network = Recurrent | SmallTransformer


def count_parameters(network: nn.Module) -> int:
    """Return how many numbers a network has learnt or will learn, a shared matrix once."""
    return sum(weight.numel() for weight in network.parameters())
