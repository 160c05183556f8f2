"""Hand labels: a session that loses nothing, and its window."""
