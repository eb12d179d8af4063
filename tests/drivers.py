"""Models for the command line: a file of functions, as text, to be written where it runs."""

MODELS = """
import torch
from torch import nn

import suture


def driver(features, actions, width):
    layers = nn.Linear(len(features), width), nn.Tanh(), nn.Linear(width, len(actions))
    model = nn.Sequential(*layers)
    schema = suture.Schema(inputs={"input": features}, outputs={"output": actions})
    return suture.Subject(model, (torch.zeros(5, len(features)),), schema=schema)


def old():
    return driver(["angle", "speed"], ["left", "right"], 3)


def new():
    print("building the new driver")
    return driver(["place", "angle", "speed"], ["left", "right"], 4)


def bent():
    narrow = old()
    narrow.model[1] = nn.ReLU()
    return narrow


def turned():
    return driver(["angle", "speed"], ["up", "down"], 3)


def elsewhere():
    call = lambda model, x: {"other": model(x)}
    return suture.Subject(old().model, (torch.zeros(5, 2),), call=call)


def sized(width):
    return driver(["angle"], ["left"], width)


def broken():
    return {}["weights"]


def number():
    return 3


WIDTH = 3
"""
