"""Running on RunPod Serverless: workers, clients, and the management of endpoints."""
