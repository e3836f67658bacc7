"""The process in which `utils.evaluation.code` runs code: started by its path, alone, with Python's own library only.

It reads one line of JSON from its input (code, tests, seconds, memory, word), gives up what code could do harm with,
runs the code and then its tests, and writes the verdict behind the secret word. Nothing else of the course is imported.
"""

import ast
import io
import json
import os
import sys
import sysconfig

LONGEST_PRINT = 10_000
HARMLESS = {
    "import", "exec", "compile", "marshal.loads", "marshal.load", "code.__new__", "builtins.id", "sys._getframe",
    "sys.excepthook", "sys.unraisablehook", "object.__getattr__", "object.__setattr__", "object.__delattr__",
    "array.__new__", "time.sleep", "builtins.input", "builtins.input/result", "function.__new__",
    "_thread.start_new_thread", "_thread.start_joinable_thread",
}  # fmt: skip
"""Python's own audit events that may pass; all others are refused."""
ACTS = {
    "os.remove": "delete a file",
    "os.rmdir": "delete a folder",
    "shutil.rmtree": "delete a folder",
    "os.rename": "rename a file",
    "os.mkdir": "make a folder",
    "os.listdir": "list a folder",
    "os.scandir": "list a folder",
    "os.kill": "end another process",
    "os.killpg": "end another process",
    "os.fork": "start another process",
    "os.exec": "start another process",
    "os.spawn": "start another process",
    "os.system": "start another process",
    "os.posix_spawn": "start another process",
    "os.startfile": "start another process",
    "subprocess": "start another process",
    "pty": "start another process",
    "_winapi": "start another process",
    "socket": "use the network",
    "urllib": "use the network",
    "ctypes": "call the system's own functions",
}
"""What an event or a module is called in a sentence, by how it begins."""
MODULES = {
    "_posixsubprocess": "start another process",
    "_socket": "use the network",
    "_ctypes": "call the system's own functions",
}
"""Modules that are refused, since not all that they do asks an audit hook."""
SOURCE = "<code>"
"""What the code's file is called; Python looks for it, to quote a line that it cannot read."""


class Watch:
    """Refuses what code tries to do, and remembers the first time, whatever the code then catches."""

    def __init__(self) -> None:
        self.tried: str | None = None
        library = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
        self.library = tuple(os.path.join(os.path.realpath(folder), "") for folder in library)

    def __call__(self, event: str, given: tuple) -> None:
        """Raise PermissionError for an event that is not harmless; `sys.addaudithook` calls this."""
        act = self._act(event, given)
        if act:
            self.refuse(f"tried to {act}, which the restricted run refuses")

    def refuse(self, sentence: str) -> None:
        """Remember the sentence if it is the first, and raise PermissionError."""
        self.tried = self.tried or sentence
        raise PermissionError(sentence)

    def _act(self, event: str, given: tuple) -> str | None:
        if event == "import":
            return MODULES.get(str(given[0]))
        if event == "open":
            return self._opening(*given)
        if event in HARMLESS or (event in ("os.listdir", "os.scandir") and self._of_python(given[0])):
            return None
        return next((act for begin, act in ACTS.items() if event.startswith(begin)), f"use {event}")

    def _opening(self, path: object, mode: object, flags: object) -> str | None:
        writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        if set(str(mode or "")) & set("wax+") or (isinstance(flags, int) and flags & writes):
            return "write a file"
        return None if self._of_python(path) else "read a file"

    def _of_python(self, path: object) -> bool:
        if not isinstance(path, str):
            return False
        return path == SOURCE or os.path.join(os.path.realpath(path), "").startswith(self.library)


class Printed(io.StringIO):
    """What is printed: kept up to a limit, refused beyond it."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch

    def write(self, text: str) -> int:
        """Keep a text. Raises PermissionError beyond the limit."""
        if self.tell() + len(text) > LONGEST_PRINT:
            self.watch.refuse(f"printed more than {LONGEST_PRINT:,} characters")
        return super().write(text)


def limit(seconds: int, memory: int) -> None:
    """Set the system's own limits, where it has them: processor seconds, bytes of memory, no files, no processes."""
    try:
        import resource
    except ImportError:  # Windows
        return
    limits = {"RLIMIT_CPU": seconds, "RLIMIT_AS": memory, "RLIMIT_FSIZE": 0, "RLIMIT_NPROC": 0, "RLIMIT_CORE": 0}
    for name, most in limits.items():
        try:
            resource.setrlimit(getattr(resource, name), (most, most + (name == "RLIMIT_CPU")))
        except (AttributeError, OSError, ValueError):  # a system without it, or with a lower one
            continue


def verdict(code: str, tests: str, watch: Watch) -> str:
    """Return why code does not pass its tests, in words, or nothing where it passes."""
    names: dict = {"__name__": "__main__"}
    asserted = [ast.unparse(test) for test in ast.parse(tests).body]
    for text in (code, *asserted):
        said = _raised(text, names, test=text.removeprefix("assert ") if text is not code else "")
        if watch.tried or said:
            return watch.tried or said
    return ""


def _raised(text: str, names: dict, *, test: str) -> str:
    try:
        exec(compile(text, SOURCE, "exec"), names)
    except SyntaxError as error:
        return f"is not valid Python ({_words(error)})"
    except MemoryError:
        return "needed more memory than the restricted run allows"
    except SystemExit:
        return "ended the process before its tests were done"
    except BaseException as error:  # whatever code raises is told
        kind = type(error).__name__
        if test and kind == "AssertionError":
            return f"failed the test: {test}"
        return f"stopped with {kind}: {_words(error)}" + (f", in the test: {test}" if test else "")
    return ""


def _words(error: BaseException) -> str:
    try:
        return (str(error).splitlines() or ["no message"])[0][:100]
    except BaseException:  # its text is the code's own, too
        return "no message"


def main() -> None:
    """Read what to run, run it, say what came of it, and end the process, whatever else still runs in it."""
    asked = json.loads(sys.stdin.readline())
    answer = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for one in (0, 1, 2):
        os.dup2(nothing, one)
    watch, dumps, say, end = Watch(), json.dumps, os.write, os._exit  # the code may change what modules hold
    os.environ.clear()
    printed = Printed(watch)
    nothing_typed = io.StringIO()
    vars(sys).update(stdin=nothing_typed, __stdin__=nothing_typed)
    vars(sys).update(dict.fromkeys(("stdout", "stderr", "__stdout__", "__stderr__"), printed))
    limit(asked["seconds"], asked["memory"])
    sys.addaudithook(watch)
    reason = verdict(asked["code"], asked["tests"], watch)
    say(answer, (asked["word"] + dumps({"reason": reason, "printed": printed.getvalue()})).encode())
    end(0)


if __name__ == "__main__":
    main()
