"""``diarist serve``: OpenAI's transcription API, jobs and a page, on this machine or for a team."""
