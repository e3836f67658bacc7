"""Evaluation: accuracy, ROUGE, chrF, precision and recall, programs that pass tests, intervals, what examples add."""

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
from utils.evaluation.code import Outcome, passes, run_tests, write_code
from utils.evaluation.completions import complete, first_line
from utils.evaluation.entities import capitalised, extract_entities, precision, read_entities, recall
from utils.evaluation.influence import by_last_label, label_log_probability, leave_one_out
from utils.evaluation.intervals import Interval, bootstrap, interval_table, spread_table
from utils.evaluation.passages import answer_passages, exact_matches, token_f1
from utils.evaluation.summaries import rouge, rouge_scores, summarize
from utils.evaluation.translations import chrf, translate
from utils.evaluation.workbench import make_bench

__all__ = [
    "ClassificationTask",
    "Interval",
    "Outcome",
    "Run",
    "ShotsCurve",
    "accuracy",
    "answer_logits",
    "answer_passages",
    "bootstrap",
    "by_last_label",
    "capitalised",
    "chrf",
    "complete",
    "draw_examples",
    "exact_matches",
    "expected_accuracy",
    "extract_entities",
    "first_line",
    "gain",
    "interval_table",
    "label_log_probability",
    "leave_one_out",
    "make_bench",
    "passes",
    "precision",
    "predict_labels",
    "read_entities",
    "recall",
    "rouge",
    "rouge_scores",
    "run_task",
    "run_tests",
    "runs_table",
    "score_labels",
    "shots_curve",
    "spread_table",
    "summarize",
    "token_f1",
    "translate",
    "write_code",
]
