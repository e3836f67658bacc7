"""The notebook that an exercise belongs to, told by its number: one digit is a lab ("1.3"), two are a lesson ("01.3")."""


def notebook_of(number: int | str) -> str:
    """Return what a sentence calls the notebook with a number: "Lab 1" for 1 or "1", "lesson 01" for "01"."""
    return f"lesson {number}" if len(str(number)) == 2 else f"Lab {number}"


def module_of(number: int | str) -> str:
    """Return the name of the module with a notebook's checks: "lab_1" for 1 or "1", "lesson_01" for "01"."""
    return notebook_of(number).lower().replace(" ", "_")
