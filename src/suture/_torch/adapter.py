"""What the torch adapter offers: see `suture._adapter.Adapter`."""

from suture._torch._generic import generic
from suture._torch._probe import prober
from suture._torch._replay import replay
from suture._torch._run import examples, load, run, size, state
from suture._torch._trace import trace

__all__ = ["examples", "generic", "load", "prober", "replay", "run", "size", "state", "trace"]
