"""One recording, or many, on many workers: what is cut into units, who computes them, and what becomes of them."""

from diarist.cluster.local import Processes
from diarist.cluster.one_recording import fan_out
from diarist.cluster.run import Lost, Outcome, Pool, Task, run

__all__ = ["Lost", "Outcome", "Pool", "Processes", "Task", "fan_out", "run"]
