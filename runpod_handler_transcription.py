"""RunPod Serverless handler: what is said."""

from diarist.jobs.services import load_transcription
from diarist.runpod.worker import start

if __name__ == "__main__":
    start(load_transcription)
