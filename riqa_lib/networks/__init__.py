"""Networks, the views they are given, their weights and where they run."""
