"""RunPod Serverless handler: words and speakers in one worker."""

from diarist.jobs.services import load_single
from diarist.runpod.worker import start

if __name__ == "__main__":
    start(load_single)
