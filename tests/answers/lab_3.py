"""What learners write for the exercises of Lab 3."""

from tests.answers import lab_3a, lab_3b

MASTER = lab_3a.MASTER | lab_3b.MASTER
RIGHT = lab_3a.RIGHT | lab_3b.RIGHT
WRONG = lab_3a.WRONG | lab_3b.WRONG
GIVEN = lab_3a.GIVEN | lab_3b.GIVEN
PATCHES: dict[str, object] = {}
EXPLAINED = lab_3a.EXPLAINED | lab_3b.EXPLAINED
