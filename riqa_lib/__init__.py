"""riqa: image quality from few labels, reproducibly."""

__version__ = "0.1.0"
