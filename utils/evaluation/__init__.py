"""Evaluation: accuracy, ROUGE, intervals, and what each example adds."""

from utils.evaluation.answers import answer_logits, expected_accuracy
from utils.evaluation.classification import (
    ClassificationTask,
    Run,
    ShotsCurve,
    accuracy,
    draw_examples,
    gain,
    predict_labels,
    run_task,
    runs_table,
    score_labels,
    shots_curve,
)
from utils.evaluation.completions import complete, first_line
from utils.evaluation.influence import by_last_label, label_log_probability, leave_one_out
from utils.evaluation.intervals import Interval, bootstrap, interval_table, spread_table
from utils.evaluation.summaries import rouge, rouge_scores, summarize
from utils.evaluation.workbench import make_bench

__all__ = [
    "ClassificationTask",
    "Interval",
    "Run",
    "ShotsCurve",
    "accuracy",
    "answer_logits",
    "bootstrap",
    "by_last_label",
    "complete",
    "draw_examples",
    "expected_accuracy",
    "first_line",
    "gain",
    "interval_table",
    "label_log_probability",
    "leave_one_out",
    "make_bench",
    "predict_labels",
    "rouge",
    "rouge_scores",
    "run_task",
    "runs_table",
    "score_labels",
    "shots_curve",
    "spread_table",
    "summarize",
]
