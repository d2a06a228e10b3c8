"""RunPod Serverless handler: who speaks when."""

from diarist.jobs.services import load_diarization
from diarist.runpod.worker import start

if __name__ == "__main__":
    start(load_diarization)
