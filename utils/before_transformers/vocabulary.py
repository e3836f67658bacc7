"""A vocabulary learnt from a text: byte-pair encoding, and texts as rows of tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

BEGIN = "<s>"
"""Stands before every text; its id is 0."""


@dataclass(frozen=True)
class Vocabulary:
    """A byte-level tokenizer: any text can be written in it, and comes back as it was."""

    tokenizer: Tokenizer

    def __len__(self) -> int:
        return self.tokenizer.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """Return a text's token ids behind the token that begins a text."""
        return [0, *self.tokenizer.encode(text).ids]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of token ids, without the tokens that begin one."""
        return self.tokenizer.decode(list(ids))

    def rows(self, texts: Sequence[str], *, length: int) -> torch.Tensor:
        """Return texts as one stream cut into rows, shape (rows, length + 1): a row begins with the last one's end."""
        stream = [token for text in texts for token in self.encode(text)]
        return torch.tensor(stream).unfold(0, length + 1, length)


def learn_vocabulary(texts: Sequence[str], *, size: int) -> Vocabulary:
    """Return a vocabulary of so many tokens, made by byte-pair encoding (R. Sennrich and others, 2016).

    size: at least 257, one for each byte and one that begins a text. The same texts give the same tokens.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[BEGIN], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return Vocabulary(tokenizer)
