"""Models that people widen, at the sizes that they have: what grows, and what is right by hand."""

from growing.models import GROWTHS, Growth
from growing.score import Score, placed_by, shrunk_by

__all__ = ["GROWTHS", "Growth", "Score", "placed_by", "shrunk_by"]
