"""Checkpoints as files: opened by their content, and carried by a plan from one to another.

A file is mapped, never loaded: a model of any size goes through a few megabytes. Imports no
framework until a file needs one.
"""

from suture._files._atomic import whole_file
from suture._files._carry import Written, carry_file, carry_foreseen
from suture._files._checkpoint import Checkpoint, Format
from suture._files._folders import CONFIG
from suture._files._foresee import Foreseen, OptimizerPolicy, foresee
from suture._files._open import open_checkpoint
from suture._files._outputs import mode_of, refuse_file
from suture._files._paths import refuse_unreachable
from suture._files._writers import ALONE, weights_alone

__all__ = [
    "ALONE",
    "CONFIG",
    "Checkpoint",
    "Foreseen",
    "Format",
    "OptimizerPolicy",
    "Written",
    "carry_file",
    "carry_foreseen",
    "foresee",
    "mode_of",
    "open_checkpoint",
    "refuse_file",
    "refuse_unreachable",
    "weights_alone",
    "whole_file",
]
