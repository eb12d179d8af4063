"""Carry trained weights from one neural network into a changed one.

Knows which names are public. Does not import a framework: that is for the adapters.
"""

__version__ = "0.1.0"
