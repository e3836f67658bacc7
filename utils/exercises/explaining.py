"""An exception in plain words: what it means, what to do, and on which of the learner's own lines."""

import linecache
import re
import traceback
from types import TracebackType

from utils.errors import opened

LONGEST = 300
"""How much of an exception's own text is told."""
NONE = "None is what a function gives that ends without `return`, and what `sort`, `append`, `shuffle` and `seed` give"
FILLED = "braces and % in a text are places to be filled, so no other text may be joined to it before: use an f-string, or join with + at the end"
ASKED = "`input()` waits for a person: here the values come as the function's arguments"
DIVIDED = "/ makes a float: use // for a number of items"
MEANINGS: tuple[tuple[type[BaseException], str, str], ...] = (
    (
        TypeError,
        r"'float' object cannot be interpreted as an integer|slice indices must be integers|"
        r"indices must be integers or slices, not float|can't multiply sequence by non-int of type 'float'",
        DIVIDED,
    ),
    (TypeError, r"NoneType", f"something here is None. {NONE}"),
    (TypeError, r"'?ellipsis'?", "three dots are still standing where a value is missing"),
    (
        TypeError,
        r"argument after \* must be an iterable, not (\w+)",
        r"a pair was expected, and a \1 came: is an attribute missing behind it, such as .example?",
    ),
    (
        TypeError,
        r"takes (?:\w+ )*?(\d+)(?: to \d+)? positional arguments? but (\d+)|"
        r"takes no arguments|missing \d+ required (?:positional|keyword-only) argument",
        "a function is called with another number of values than stand in its head",
    ),
    (TypeError, r"got an unexpected keyword argument '(\w+)'", r"the function that you call has no argument named \1"),
    (
        TypeError,
        r"'(\w+)' object is not callable",
        r"round brackets behind a name call it, and this is a \1, which cannot be called. Is a function's name used for a value?",
    ),
    (TypeError, r"'(\w+)' object is not subscriptable", r"square brackets take a part of a list or a text, and this is of the class \1"),
    (TypeError, r"format string|arguments converted", FILLED),
    (TypeError, r"'int' object is not iterable", "a loop goes through a list, and this is one number: range(...) counts up to it"),
    (
        TypeError,
        r"cannot unpack non-iterable (\w+)|'(\w+)' object is not iterable|argument of type '(\w+)' is not",
        "one value stands where several are expected, such as a list or a pair",
    ),
    (TypeError, r"object of type '(\w+)' has no len\(\)", r"`len()` counts the parts of a list or a text, and this is a \1"),
    (
        TypeError,
        r"can only concatenate (\w+)|must be str, not (\w+)|expected str instance, (\w+) found",
        "+ and join put texts to texts and lists to lists: make both sides the same kind, with str(...) or [...]",
    ),
    (
        TypeError,
        r"unsupported operand type\(s\) for [-*/]+: .*'(list|tuple)'",
        r"a \1 is no number: go through it and reckon with each of its values, or make an array of it",
    ),
    (
        TypeError,
        r"unsupported operand type\(s\) for (\S+?): '(\w+)' and '(\w+)'|not supported between instances of '(\w+)'",
        "these two kinds of values do not go together",
    ),
    (TypeError, r"unhashable type: '(\w+)'", r"a \1 can be no key of a dictionary and no element of a set: use a tuple or a text"),
    (TypeError, r"does not support item assignment", "this value cannot be changed in place: make a new one"),
    (
        TypeError,
        r"string indices must be integers",
        "a text stands where a table, a record or a dictionary is meant: a loop over a table or a dictionary gives its names",
    ),
    (TypeError, r"indices must be integers", "a list is asked by a position, a whole number; a dictionary by a key"),
    (UnboundLocalError, r"'(\w+)'", r"the name \1 gets a value later in the function, or only in one branch: give it a first value before"),
    (NameError, r"name '(\w+)' is not defined", r"nothing is called \1 here: look at its spelling, and run the cell that makes it"),
    (ModuleNotFoundError, r"No module named '([\w.]+)'", r"the package \1 is not installed here, and the exercise can be done without it"),
    (ImportError, r"cannot import name '(\w+)'", r"there is no \1 in that module: look at its spelling"),
    (AttributeError, r"'NoneType'", f"something here is None. {NONE}"),
    (
        AttributeError,
        r"'dict' object has no attribute '(\w+)'",
        r'a dictionary has nothing called \1 behind a dot: a value is taken by its key in square brackets, ["\1"]',
    ),
    (AttributeError, r"'(\w+)' object has no attribute '(\w+)'", r"a \1 has nothing called \2: dir(...) shows what it has"),
    (AttributeError, r"module '([\w.]+)' has no attribute '(\w+)'", r"the module \1 has nothing called \2"),
    (IndexError, r"out of range|out of bounds", "a place was asked for that does not exist: the first is 0, the last one less than the length"),
    (IndexError, r"empty", "something here is empty: think of that case first"),
    (
        KeyError,
        r"^(?:np\.\w+\()?(-?\d+)\)?$",
        r"there is no \1 in the dictionary or table that is asked: square brackets take a key or what stands in an index, and .iloc[...] a place",
    ),
    (KeyError, r"(.+)", r"there is no \1 in the dictionary or table that is asked"),
    (ZeroDivisionError, r"", "something is divided by 0 here: deal with that case before you divide"),
    (OverflowError, r"", "a number became larger than a float can hold"),
    (
        ValueError,
        r"truth value of an? (array|Series|DataFrame|Index)",
        "one `if` or `and` cannot ask many numbers at once: use .any() or .all(), or take one number",
    ),
    (ValueError, r"zip\(\)", "`zip` got lists of different lengths"),
    (ValueError, r"[Ss]ample larger than population|larger sample than population", "more items are drawn than there are"),
    (
        ValueError,
        r"too many values to unpack|not enough values to unpack",
        "the number of names on the left of = is not the number of values on the right",
    ),
    (ValueError, r"empty|no median for|at least one data point", "`max`, `min` or a mean was asked of nothing: deal with the empty case first"),
    (ValueError, r"math domain error|expected a positive input", "a logarithm is asked of 0 or of a negative number, and there is none"),
    (ValueError, r"could not convert string|invalid literal", "this text is not a number"),
    (ValueError, r"is not in list|substring not found", "what was looked for is not there"),
    (ValueError, r"could not be broadcast|shapes .* not aligned|matmul|inhomogeneous", "the shapes of two arrays do not fit: print .shape of both"),
    (ValueError, r"cannot convert float (NaN|infinity) to integer", r"\1 came up where a whole number is needed"),
    (RuntimeError, r"[Bb]oolean value of Tensor", "one `if` or `and` cannot ask many numbers at once: use .any() or .all(), or take one number"),
    (
        RuntimeError,
        r"must match the size|shapes cannot be multiplied|size mismatch|not broadcastable|inconsistent tensor size|"
        r"expanded size",
        "the shapes of two tensors do not fit: print .shape of both",
    ),
    (
        RuntimeError,
        r"expected scalar type|same dtype|result type|[Ee]xpected .* but got",
        "two tensors hold different kinds of numbers: .float() makes one kind of both",
    ),
    (RuntimeError, r"a Tensor with (\d+) elements cannot be converted", "one number was asked of a tensor that holds many"),
    (RuntimeError, r"generator raised StopIteration", "`next()` was asked for more than there is"),
    (RuntimeError, r"changed size during iteration", "a dictionary or set is changed while a loop walks through it: walk through a copy"),
    (RecursionError, r"", "the function calls itself without end: is there a case in which it stops?"),
    (MemoryError, r"", "this needs more memory than there is"),
    (StopIteration, r"", "`next()` was asked for more than there is: give it a second value for that case"),
    (AssertionError, r"", "an assert of yours does not hold"),
    (NotImplementedError, r"", "the line that says so is still to be replaced by your answer"),
    (EOFError, r"", ASKED),
    (RuntimeError, r"raw_input was called", ASKED),
    (SystemExit, r"", "`exit()` ends the whole program: hand the result back with `return`"),
    (KeyboardInterrupt, r"", "you stopped it"),
)
"""What an exception means: its class, a pattern of its text, the sentence."""


def explained(error: BaseException, file: str = "") -> str:
    """Return an exception as part of a sentence: its class, the learner's own line, its text and what that means.

    file: the file that the learner's function stands in, as Python knows it.
    """
    text = " ".join(str(error).split())
    text = f"{text[:LONGEST]} ..." if len(text) > LONGEST else text
    name = type(error).__name__
    what = f"{name}: {text.rstrip('.')}" if text and not isinstance(error, SystemExit) else name
    line = own_line(error.__traceback__, file)
    meaning = _meaning(error, text, line, file)
    said = f"{what}{f', in your line `{line}`' if line else ''}."
    return f"{said} {opened(meaning)}{'' if meaning.endswith('?') else '.'}" if meaning else said


def _meaning(error: BaseException, text: str, line: str, file: str) -> str:
    if ".format" in line and isinstance(error, KeyError | IndexError | ValueError):
        return FILLED
    last = traceback.extract_tb(error.__traceback__)[-1:]
    if isinstance(error, AttributeError) and line and last and not _is_own(last[0].filename, file):
        return "a function that you call got another kind of value than it takes: are its arguments the right ones, in the right order?"
    for kind, pattern, meaning in MEANINGS:
        if isinstance(error, kind) and (found := re.search(pattern, text)):
            return found.expand(meaning) if "\\" in meaning else meaning
    return ""


def _is_own(filename: str, file: str) -> bool:
    return filename == file or "ipykernel" in filename or filename.startswith("<ipython-input")


def own_line(trace: TracebackType | None, file: str) -> str:
    """Return the last line of the learner's own that an exception went through, "" where it is not known."""
    lines = [linecache.getline(frame.filename, frame.lineno or 0).strip() for frame in traceback.extract_tb(trace) if _is_own(frame.filename, file)]
    return next((line for line in reversed(lines) if line), "")
