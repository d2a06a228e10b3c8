"""RunPod on one machine: see `diarist.runpod.emulator.emulator`."""
