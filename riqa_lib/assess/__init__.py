"""Grades for a user's own pictures, with reasons and advice."""
