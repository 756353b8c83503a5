"""A service keeps the memory of a few pictures."""

import subprocess
import sys

COUNT_FAULTS = """
import resource, threading
import numpy as np
from borderpost.runtime.memory import keep_memory

def faults_of_a_picture():
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    np.ones((1350, 1687, 3), np.uint8)
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before

def work():
    print(*[faults_of_a_picture() for _ in range(6)])

{setting}
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


def faults(setting):
    run = [sys.executable, "-c", COUNT_FAULTS.format(setting=setting)]
    return [
        int(word) for word in subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()
    ]


def test_the_second_picture_of_a_thread_needs_no_fresh_memory():
    first, *others = faults("keep_memory()")
    assert first > 100
    assert max(others) < 100
