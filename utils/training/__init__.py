"""Training: records in tokens, the linter, the loss mask, the loop."""

from utils.training.forward import whole_model
from utils.training.linter import lint
from utils.training.loop import Measured, Training, TrainingConfig
from utils.training.masking import loss_mask
from utils.training.records import Encoded, encode
from utils.training.tasks import SUMMARIZE, TASKS, dialogue_record, is_right, review_record

__all__ = [
    "SUMMARIZE",
    "TASKS",
    "Encoded",
    "Measured",
    "Training",
    "TrainingConfig",
    "dialogue_record",
    "encode",
    "is_right",
    "lint",
    "loss_mask",
    "review_record",
    "whole_model",
]
