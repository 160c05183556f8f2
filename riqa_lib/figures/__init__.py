"""Figures: each a function from a table to a Figure."""
