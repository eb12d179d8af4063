"""What the torch adapter offers: see `suture._adapter.Adapter`."""

from suture._torch._probe import prober
from suture._torch._run import examples, load, run, state
from suture._torch._trace import trace

__all__ = ["examples", "load", "prober", "run", "state", "trace"]
