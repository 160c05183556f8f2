"""Metrics, intervals, tests, calibration, votes."""
