"""Programs that are run for their output end as Python itself ends them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ponder.sandbox.base import Sandbox
from tests.support.sandboxes import NAMES, sandbox


@pytest.fixture(params=NAMES)
def where(request: pytest.FixtureRequest) -> Sandbox:
    return sandbox(request.param)


@pytest.fixture
def whole() -> Sandbox:
    return sandbox("bubblewrap")


ATEXIT = "import atexit\natexit.register(print, input())"
ENDS = {
    "exit()": ("print(input())\nexit()", "pass", "hi\n"),
    "quit()": ("print(input())\nquit()", "pass", "hi\n"),
    "exit(0)": ("print(input())\nexit(0)", "pass", "hi\n"),
    "exit(None)": ("print(input())\nquit(None)", "pass", "hi\n"),
    "exit(1)": ("print(input())\nexit(1)", "error", "hi\n"),
    "exit of a text": ("print(input())\nexit('no')", "error", "hi\n"),
    "exit before anything": ("if input():\n    exit()\nprint(1)", "pass", ""),
    "exit in a function": (
        "def f():\n    print(input())\n    exit()\nf()\nprint(1)", "pass", "hi\n"
    ),
    "exit is no Exception": (
        "try:\n    print(input())\n    exit()\nexcept Exception:\n    print(1)", "pass", "hi\n"
    ),
    "exit as a name": ("exit = input()\nprint(exit)", "pass", "hi\n"),
    "raise SystemExit": ("print(input())\nraise SystemExit", "pass", "hi\n"),
    "raise SystemExit of a text": ("print(input())\nraise SystemExit('0')", "error", "hi\n"),
    "an error": ("print(input())\n1 / 0", "error", "hi\n"),
    "the end of the input": ("print(input())\nprint(input())", "error", "hi\n"),
}  # fmt: skip
PYTHON_ENDS = {
    "sys.exit()": ("import sys\nprint(input())\nsys.exit()", "pass", "hi\n"),
    "sys.exit(3)": ("import sys\nprint(input())\nsys.exit(3)", "error", "hi\n"),
    "exit within finally": ("try:\n    exit(1)\nfinally:\n    print('hi')", "error", "hi\n"),
    "exit closes the input": ("try:\n    exit()\nexcept:\n    print(input())", "error", ""),
    "atexit": (ATEXIT, "pass", "hi\n"),
    "atexit after exit": (f"{ATEXIT}\nexit()", "pass", "hi\n"),
    "atexit after an error": (f"{ATEXIT}\n1/0", "error", "hi\n"),
    "os._exit loses what is unwritten": ("import os\nprint(input())\nos._exit(0)", "pass", ""),
    "os._exit after flush": ("import os\nprint(input(), flush=True)\nos._exit(0)", "pass", "hi\n"),
    "os._exit(1)": ("import os\nprint(input(), flush=True)\nos._exit(1)", "error", "hi\n"),
    "a thread is waited for": (
        "import threading\nthreading.Thread(target=lambda: print(input())).start()", "pass", "hi\n"
    ),
    "SystemExit in a thread": (
        "import threading, sys\ndef f():\n    print(input())\n    sys.exit(1)\n"
        "threading.Thread(target=f).start()", "pass", "hi\n"
    ),
    "exit while a thread works": (
        "import threading\ngo = threading.Event()\ndef f():\n    go.wait()\n    print(line)\n"
        "line = input()\nthreading.Thread(target=f).start()\ngo.set()\nexit()", "pass", "hi\n"
    ),
    "a thread with a large stack": (
        "import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(2**26)\n"
        "t = threading.Thread(target=lambda: print(input()))\nt.start()\nt.join()", "pass", "hi\n"
    ),
    "__del__": (
        "class A:\n    def __del__(self):\n        print(X)\nX, a = input(), A()", "pass", "hi\n"
    ),
    "no flush": ("import sys\nsys.stdout.write(input())", "pass", "hi"),
    "a wrapper of the output": (
        "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer)\nprint(input())",
        "pass", "hi\n"
    ),
    "a closed output": ("import sys\nprint(input())\nsys.stdout.close()", "pass", "hi\n"),
    "an excepthook": ("import sys\nsys.excepthook = lambda *a: print('hi')\n1/0", "error", "hi\n"),
    "KeyboardInterrupt": ("print(input())\nraise KeyboardInterrupt", "error", "hi\n"),
    "bytes": ("import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read())", "pass", "hi\n"),
    "open(0)": ("print(open(0).read(), end='')", "pass", "hi\n"),
    "main by its name": ("import __main__\nX = input()\nprint(__main__.X)", "pass", "hi\n"),
    "a class that is pickled": (
        "from pickle import *\nclass A:\n    x = 'hi'\nprint(loads(dumps(A())).x)", "pass", "hi\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
async def test_a_program_ends_as_python_ends_it(name: str, where: Sandbox) -> None:
    program, verdict, text = ENDS[name]
    [output] = await where.feed([program], ["hi\n"])
    assert (output.verdict, output.text) == (verdict, text)


@pytest.mark.parametrize("name", PYTHON_ENDS)
async def test_a_program_of_all_python_ends_as_python_ends_it(name: str, whole: Sandbox) -> None:
    program, verdict, text = PYTHON_ENDS[name]
    [output] = await whole.feed([program], ["hi\n"])
    assert (output.verdict, output.text) == (verdict, text)


@pytest.mark.parametrize("name", ENDS | PYTHON_ENDS)
def test_python_itself_ends_it_so(name: str) -> None:
    program, verdict, text = (ENDS | PYTHON_ENDS)[name]
    ended = subprocess.run(
        [sys.executable, "-I", "-X", "utf8", "-c", program],
        input="hi\n", capture_output=True, text=True, env={}, check=False,
    )  # fmt: skip
    assert ("error" if ended.returncode else "pass", ended.stdout) == (verdict, text)


async def test_only_a_line_feed_ends_a_line_of_an_input(where: Sandbox) -> None:
    program = "print(len(input()), len(input()), len(input()))"
    [output] = await where.feed([program], ["a\u2028b\x85c\x0c\nd\r\ne"])
    assert (output.verdict, output.text) == ("pass", "6 2 1\n")


async def test_a_program_that_ends_in_the_supervisors_place_forges_nothing(whole: Sandbox) -> None:
    program = (
        "import atexit, os, sys\n"
        "atexit.register(lambda: [os.write(n, b'3\\n') for n in range(3, 64) if n == n])\n"
        "atexit.register(os._exit, 0)\n"
        "sys.stdout.write('4\\n')\n"
        "sys.stdout.flush()\n"
    )
    outputs = await whole.feed([program], ["", ""])
    assert [(o.verdict, o.text) for o in outputs] == [("pass", "4\n")] * 2
    frames = (
        "import sys\nf = sys._getframe()\nwhile f:\n    print(sorted(f.f_locals))\n    f = f.f_back"
    )
    [output] = await whole.feed([frames], ["secret"])
    assert "order" not in output.text
    assert "channel" not in output.text


@pytest.mark.parametrize("name", NAMES)
async def test_the_end_of_what_a_program_complains_of_comes_back(name: str) -> None:
    [said] = await sandbox(name).feed(["print(6)\nraise ValueError('no ' + 'way')"], [""])
    assert (said.verdict, said.text) == ("error", "6\n")
    assert said.error.rstrip().endswith("ValueError: no way")
    [fine] = await sandbox(name).feed(["print(6)"], [""])
    assert fine.error == ""


async def test_of_a_long_complaint_only_the_end_comes_back() -> None:
    source = "import sys\nsys.stderr.write('x' * 10**6 + '\\xe9end')"
    [said] = await sandbox("bubblewrap").feed([source], [""])
    assert (said.verdict, len(said.error.encode()), said.error[-4:]) == ("pass", 2_000, "\xe9end")
