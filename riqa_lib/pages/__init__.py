"""Pages: what several notebooks show alike, so that each keeps only what is its own."""
