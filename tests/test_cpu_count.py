"""The CPUs of this process, not those of the machine."""

import os
import subprocess
import sys

import pytest

from diarist.cpu_count import cpu_count


def test_at_least_one():
    assert 1 <= cpu_count() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not restrict processes")
def test_a_process_that_is_held_to_one_cpu_counts_one():
    script = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from diarist.cpu_count import cpu_count; print(cpu_count())"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "1\n"
