"""What learners write for the exercises of Lab 3."""

from tests.answers import lab_3_results, lab_3_training

MASTER = lab_3_training.MASTER | lab_3_results.MASTER
RIGHT = lab_3_training.RIGHT | lab_3_results.RIGHT
WRONG = lab_3_training.WRONG | lab_3_results.WRONG
GIVEN = lab_3_training.GIVEN | lab_3_results.GIVEN
PATCHES: dict[str, object] = {}
EXPLAINED = lab_3_training.EXPLAINED | lab_3_results.EXPLAINED
