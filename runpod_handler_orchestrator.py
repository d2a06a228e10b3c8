"""RunPod Serverless handler: calls the transcription and the diarization endpoint at once, and joins their answers."""

from diarist.runpod.orchestrator import load_orchestrator
from diarist.runpod.worker import start

if __name__ == "__main__":
    start(load_orchestrator)
