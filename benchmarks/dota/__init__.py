"""A network of OpenAI Five's shape, everything it sees and answers by name, and random situations.

What is published is as published: the units and sets, their floats, what shares weights, the way
from sets to heads. Widths that are not published, names and the sizes of tables are ours.

Source: Dota 2 with Large Scale Deep Reinforcement Learning (arXiv 1912.06680), appendices E and H.
"""

from dota.network import OpenAIFive
from dota.observation import EXTRA, Input, Sizes, inputs, outputs
from dota.subject import generic, schema, situation, subject

__all__ = [
    "EXTRA",
    "Input",
    "OpenAIFive",
    "Sizes",
    "generic",
    "inputs",
    "outputs",
    "schema",
    "situation",
    "subject",
]
