"""What a job is, on whoever's platform: what it may say, how it runs, what comes back."""
