"""What each model is, where its files come from, and how they get here."""
