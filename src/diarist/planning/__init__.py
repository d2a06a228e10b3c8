"""Which architecture, what it will cost and how long people will wait: computed before anything is paid for."""
