"""Panels to look at results by hand: a walk's predictions, a simulated eye that networks judge."""
