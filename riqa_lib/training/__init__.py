"""Training runs: settings in, a run's folder out."""
