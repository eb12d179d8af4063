"""Surgery for neural networks: carry trained weights into a changed model, function unchanged.

See `suture.transfer` for the whole way in one call; `trace`, `plan`, `apply` and `verify` are its
steps.
"""

from suture import recovery
from suture._adapter import trace
from suture._algebra import Algebra
from suture._apply import apply
from suture._bind import Pick, Window
from suture._carry import carry, carry_choices
from suture._checkpoints import transfer_checkpoints
from suture._couple import Units, couple
from suture._derive import Derived, derive
from suture._errors import (
    CoupleError,
    FileError,
    MatchError,
    OptimizerError,
    PlanError,
    RecoveryError,
    RuleError,
    SchemaError,
    SpecError,
    SutureError,
    TraceError,
    TransferError,
    UnknownOpError,
    UnpickleError,
    VerifyError,
)
from suture._explain import explain
from suture._explanation import Explanation
from suture._files import Checkpoint, Written, carry_file, open_checkpoint
from suture._followed import Followed, OptimizerReport
from suture._gradient import gradient_interactions
from suture._graph import Graph
from suture._interactions import interactions
from suture._match import Match, match
from suture._optimizer import transfer_optimizer
from suture._phi import Group, Interactions
from suture._plan import Affine, Exactness, Plan
from suture._planning import plan
from suture._policies import Policy
from suture._report import Report
from suture._rule import Described, TensorArgument, rule
from suture._sb3._normalize import transfer_vec_normalize
from suture._sb3._replay import transfer_replay_buffer
from suture._schedule import transfer_schedule
from suture._schema import Categorical, Schema
from suture._slots import Slot, slot
from suture._spec import Spec, parse
from suture._starts import Bias, CopyOf, MeanOfOld, OwnInit
from suture._statistics import carry_statistics
from suture._subject import Subject
from suture._transfer import transfer
from suture._verify import verify

__version__ = "0.1.0"

__all__ = [
    "Affine",
    "Algebra",
    "Bias",
    "Categorical",
    "Checkpoint",
    "CopyOf",
    "CoupleError",
    "Derived",
    "Described",
    "Exactness",
    "Explanation",
    "FileError",
    "Followed",
    "Graph",
    "Group",
    "Interactions",
    "Match",
    "MatchError",
    "MeanOfOld",
    "OptimizerError",
    "OptimizerReport",
    "OwnInit",
    "Pick",
    "Plan",
    "PlanError",
    "Policy",
    "RecoveryError",
    "Report",
    "RuleError",
    "Schema",
    "SchemaError",
    "Slot",
    "Spec",
    "SpecError",
    "Subject",
    "SutureError",
    "TensorArgument",
    "TraceError",
    "TransferError",
    "Units",
    "UnknownOpError",
    "UnpickleError",
    "VerifyError",
    "Window",
    "Written",
    "apply",
    "carry",
    "carry_choices",
    "carry_file",
    "carry_statistics",
    "couple",
    "derive",
    "explain",
    "gradient_interactions",
    "interactions",
    "match",
    "open_checkpoint",
    "parse",
    "plan",
    "recovery",
    "rule",
    "slot",
    "trace",
    "transfer",
    "transfer_checkpoints",
    "transfer_optimizer",
    "transfer_replay_buffer",
    "transfer_schedule",
    "transfer_vec_normalize",
    "verify",
]
