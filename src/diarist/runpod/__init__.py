"""RunPod Serverless: workers, a client for endpoints, the three architectures, and an emulator to try them."""
