"""Which processes still work on what they said they do."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ponder.util import worker


def test_this_process_is_not_gone_and_one_of_another_machine_is() -> None:
    assert not worker.gone(worker.this_one())
    assert worker.gone(f"{os.getpid()}@nowhere")
    assert worker.number(worker.this_one()) == str(os.getpid())


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_process_that_has_ended_is_gone_even_if_nobody_took_note() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    name = worker.this_one().replace(str(os.getpid()), str(child.pid), 1)
    assert not worker.gone(name)
    assert child.stdin
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now
    assert worker.gone(name)
    child.wait()
    assert worker.gone(name)
