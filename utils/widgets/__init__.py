"""Thin views: a control changes a value, a pure function computes, a renderer draws."""

from utils.widgets.adapter_dial import adapter_dial
from utils.widgets.attention import attention_view
from utils.widgets.forecasts import predict
from utils.widgets.garden import model_garden
from utils.widgets.guess import guess
from utils.widgets.job_monitor import monitor
from utils.widgets.live import live
from utils.widgets.ngram_writer import ngram_writer
from utils.widgets.playground import playground
from utils.widgets.prompt_workbench import prompt_workbench
from utils.widgets.quiz import quiz
from utils.widgets.repetition import repetition
from utils.widgets.sampler import sampler
from utils.widgets.tokens import token_viewer

__all__ = [
    "adapter_dial",
    "attention_view",
    "guess",
    "live",
    "model_garden",
    "monitor",
    "ngram_writer",
    "playground",
    "predict",
    "prompt_workbench",
    "quiz",
    "repetition",
    "sampler",
    "token_viewer",
]
