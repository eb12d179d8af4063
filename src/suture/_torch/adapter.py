"""What the torch adapter offers: see `suture._adapter.Adapter`."""

from suture._torch._beside import settings, texts
from suture._torch._generic import generic
from suture._torch._optimizer import held, optimizer_load, optimizer_state, parameters
from suture._torch._probe import prober
from suture._torch._replay import replay
from suture._torch._run import examples, load, run, seed, size, state
from suture._torch._trace import trace

__all__ = [
    "examples",
    "generic",
    "held",
    "load",
    "optimizer_load",
    "optimizer_state",
    "parameters",
    "prober",
    "replay",
    "run",
    "seed",
    "settings",
    "size",
    "state",
    "texts",
    "trace",
]
