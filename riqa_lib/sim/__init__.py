"""Simulated pictures: scenes, distortions, raters and the sets made of them. Everything here is
simulated."""
