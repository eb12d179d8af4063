"""The command line: data on stdout, all else on stderr.

Knows which commands there are, in the order of their use; each kind has a module of its own.
"""

from suture._cli._apply import apply
from suture._cli._plan import plan, show
from suture._cli._program import app
from suture._cli._questions import explain, interactions
from suture._cli._verify import verify

__all__ = ["app"]

for command in (plan, show, apply, verify, interactions, explain):
    app.command()(command)
