"""Decoding: reshape the next-token distribution, sample, generate, and look at what came."""

from utils.decoding.candidates import NextToken, compare, given, next_token, read_prompt
from utils.decoding.diversity import completions, distinct_n, diversity_curve, repeated_ngrams, surprise
from utils.decoding.generation import Step, complete_many, generate_stream
from utils.decoding.steps import endings_table, steps_table
from utils.logits.config import DecodingConfig
from utils.logits.reshaping import reshape, stages
from utils.logits.sampling import sample

__all__ = [
    "DecodingConfig",
    "NextToken",
    "Step",
    "compare",
    "complete_many",
    "completions",
    "distinct_n",
    "diversity_curve",
    "endings_table",
    "generate_stream",
    "given",
    "next_token",
    "read_prompt",
    "repeated_ngrams",
    "reshape",
    "sample",
    "stages",
    "steps_table",
    "surprise",
]
