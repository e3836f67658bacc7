"""Change one thing in each solution and count what its check lets through.

python -m tests.exercise_mutants          # every exercise
python -m tests.exercise_mutants 1.4 01.2 # these, of a lab and of a lesson

Changed are operators, comparisons, constants, the order of arguments, names such as `min`; left out are statements,
conditions, arguments, calls, attributes, one side of an operator and the value of a `return`. The table is written to
build/exercises.md. A mutant that is let through is either no mistake, because it computes the same (EXPLAINED says
why), or a hole in the check.
"""

import ast
import copy
import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests import masters
from utils.authoring import ROOT
from utils.exercises import running
from utils.exercises.checks import assess
from utils.exercises.notebooks import module_of
from utils.storage.files import write_text

TABLE = ROOT / "build" / "exercises.md"
MOST_LET_THROUGH = 0.02
MISTAKE = "A mistake"
"""How the explanation begins of a changed solution that is a mistake, and let through; all others compute the same."""
SWAPS: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult, ast.FloorDiv),
    ast.FloorDiv: (ast.Div,),
    ast.MatMult: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Or: (ast.And,),
    ast.And: (ast.Or,),
}
NAMES = {
    "min": "max",
    "max": "min",
    "argmax": "argmin",
    "argmin": "argmax",
    "ceil": "floor",
    "floor": "ceil",
    "mean": "sum",
    "sum": "max",
    "lower": "upper",
    "cumsum": "cumprod",
    "sample": "choices",
}


OTHER_KINDS = {"int", "float", "list", "np.array", "double"}
"""Without these a result is of another kind, and every kind is taken."""


@dataclass(frozen=True)
class Mutant:
    """A changed solution: the exercise, what was changed in words, its code."""

    exercise: str
    change: str
    code: str


def mutants(exercise: str, source: str) -> Iterator[Mutant]:
    """Yield a solution with one thing changed, each change once."""
    tree = without_docstring(ast.parse(source))
    seen = {ast.unparse(tree)}
    for number, node in enumerate(inside(tree)):
        for change in changes(node):
            mutant = copy.deepcopy(tree)
            change(inside(mutant)[number])
            code = ast.unparse(ast.fix_missing_locations(mutant))
            if code not in seen:
                seen.add(code)
                yield Mutant(exercise, in_words(ast.unparse(tree), code), code)


def function_in(tree: ast.Module) -> ast.FunctionDef:
    """Return the function of an exercise's cell."""
    return next(node for node in tree.body if isinstance(node, ast.FunctionDef))


def without_docstring(tree: ast.Module) -> ast.Module:
    """Return a cell whose function has no docstring."""
    function = function_in(tree)
    del function.body[: ast.get_docstring(function) is not None]
    return tree


def inside(tree: ast.Module) -> list[ast.AST]:
    """Return what can be changed: the function and all that is in its body."""
    function = function_in(tree)
    return [function, *(node for statement in function.body for node in ast.walk(statement))]


def changes(node: ast.AST) -> Iterator[Callable[[Any], None]]:
    """Yield functions that change one thing in a copy of a node."""
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign):
        yield from (lambda twin, swap=swap: setattr(twin, "op", swap()) for swap in SWAPS.get(type(node.op), ()))
    if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Add | ast.Mult):
        yield lambda twin: twin.__dict__.update(left=twin.right, right=twin.left)
    if isinstance(node, ast.Compare):
        yield from (lambda twin, swap=swap: setattr(twin, "ops", [swap()]) for swap in SWAPS.get(type(node.ops[0]), ()))
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        yield from (lambda twin, by=by: setattr(twin, "value", twin.value + by) for by in (1, -1))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield lambda twin: setattr(twin, "op", ast.UAdd())
    if isinstance(node, ast.Attribute | ast.Name):
        field = "attr" if isinstance(node, ast.Attribute) else "id"
        if getattr(node, field) in NAMES:
            yield lambda twin: setattr(twin, field, NAMES[getattr(twin, field)])
    if isinstance(node, ast.Call) and len(node.args) > 1:
        yield lambda twin: twin.args.__setitem__(slice(0, 2), twin.args[1::-1])
    if isinstance(node, ast.Call) and node.keywords:
        yield lambda twin: twin.keywords.pop()
    if isinstance(node, ast.Tuple) and len(node.elts) > 1 and isinstance(node.ctx, ast.Load):
        yield lambda twin: twin.elts.__setitem__(slice(0, 2), twin.elts[1::-1])
    if isinstance(node, ast.Return):
        yield lambda twin: setattr(twin, "value", None)
    if isinstance(node, ast.If | ast.IfExp):
        yield from (lambda twin, v=v: setattr(twin, "test", ast.Constant(value=v)) for v in (False, True))
    if isinstance(node, ast.Slice) and node.upper is not None:
        yield lambda twin: setattr(twin, "upper", None)
    if isinstance(node, ast.comprehension) and node.ifs:
        yield lambda twin: twin.ifs.clear()
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield lambda twin: setattr(twin, "value", "" if twin.value else "x")
    for field in ("body", "orelse"):
        block = getattr(node, field, None)
        for place in range(len(block) if isinstance(block, list) else 0):
            yield lambda twin, field=field, place=place: getattr(twin, field).__setitem__(place, ast.Pass())
    for field, value in [] if isinstance(node, ast.FunctionDef | ast.Expr) else ast.iter_fields(node):
        for part in parts(value):
            yield lambda twin, field=field, part=part: setattr(twin, field, part(getattr(twin, field)))


def parts(value: Any) -> Iterator[Callable[[Any], ast.expr]]:
    """Yield functions that take from an expression one of its parts: a step less was done."""
    if isinstance(value, ast.BinOp):
        yield lambda whole: whole.left
        yield lambda whole: whole.right
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr not in OTHER_KINDS:
        yield lambda whole: whole.func.value
    if isinstance(value, ast.Call) and value.args and ast.unparse(value.func) not in OTHER_KINDS:
        yield lambda whole: whole.args[0]
    if isinstance(value, ast.Attribute) or (isinstance(value, ast.Subscript) and isinstance(value.ctx, ast.Load)):
        yield lambda whole: whole.value
    if isinstance(value, ast.Tuple) and value.elts:
        yield lambda whole: whole.elts[0]


def in_words(before: str, after: str) -> str:
    """Return the changed line, before and after."""
    pairs = zip(before.splitlines(), after.splitlines(), strict=False)
    old, new = next((old.strip(), new.strip()) for old, new in pairs if old != new)
    return f"{old} -> {new}"


def let_through(number: str, only: tuple[str, ...] = ()) -> tuple[list[Mutant], list[Mutant]]:
    """Return all mutants of a lab ("1") or lesson ("01"), and those that its checks accept."""
    answers = importlib.import_module(f"tests.answers.{module_of(number)}")
    made, accepted = [], []
    for exercise, asked in masters.exercises(masters.notebook(number)).items():
        if "def " not in asked.solution or (only and exercise not in only):
            continue
        for mutant in mutants(exercise, asked.solution):
            names = dict(answers.MASTER)
            try:
                exec(mutant.code, names)
            except Exception:  # not even a function is left
                continue
            made.append(mutant)
            if assess(exercise, names[asked.checked], **answers.GIVEN.get(exercise, {}))[1]:
                accepted.append(mutant)
    return made, accepted


def table(found: dict[str, tuple[list[Mutant], list[Mutant]]], explained: dict[tuple[str, str], str]) -> str:
    """Return a Markdown table with a row an exercise, and each accepted mutant with its explanation."""
    lines = ["| exercise | changed solutions | the same function | mistakes let through |", "| --- | --- | --- | --- |"]
    whole = [mutant for made, _ in found.values() for mutant in made]
    accepted = [
        (mutant, explained.get((mutant.exercise, mutant.change), ""))
        for _, passed in found.values()
        for mutant in passed
    ]
    same = [mutant for mutant, why in accepted if why and not why.startswith(MISTAKE)]
    for exercise in [*dict.fromkeys(mutant.exercise for mutant in whole), "all"]:
        counts = [
            sum(exercise in ("all", mutant.exercise) for mutant in part)
            for part in (whole, same, [m for m, _ in accepted])
        ]
        lines.append(f"| {exercise} | {counts[0]} | {counts[1]} | {counts[2] - counts[1]} |")
    listed = [
        f"- {mutant.exercise}: `{mutant.change}`: {why or 'A HOLE: no reason is known.'}" for mutant, why in accepted
    ]
    return "\n".join([*lines, "", *listed]) + "\n"


def write_table(found: dict[str, tuple[list[Mutant], list[Mutant]]], explained: dict[tuple[str, str], str]) -> None:
    """Write the table to build/exercises.md."""
    TABLE.parent.mkdir(exist_ok=True)
    write_text(TABLE, table(found, explained))


def main(arguments: list[str]) -> None:
    """Print and write the table."""
    running.SECONDS = 1.0
    numbers = list(dict.fromkeys(exercise.split(".")[0] for exercise in arguments)) or masters.with_exercises()
    found = {number: let_through(number, tuple(arguments)) for number in numbers}
    explained = {}
    for number in numbers:
        explained |= importlib.import_module(f"tests.answers.{module_of(number)}").EXPLAINED
    write_table(found, explained)
    print(TABLE.read_text(encoding="utf8"))


if __name__ == "__main__":
    main(sys.argv[1:])
