"""The Hub looks for a file of this name. Images run ``runpod_handler.py`` itself; this does the same."""

import runpy
from pathlib import Path

if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).parents[1] / "runpod_handler.py"), run_name="__main__")
