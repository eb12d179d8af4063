"""Stand-ins: what is run in an op's place while a network is probed by gradients.

One module per reason; importing this package fills the table. An op that is not here runs as it is.

While probing, a value is zero where it does not carry the probed feature, so a stand-in gives zero
for zeros. With positive weights it gives more than zero for more than zero, and rises.
"""

from suture._torch.stand_ins import bending, constants, norms, pooling, signs, slopes
from suture._torch.stand_ins._table import stand_in

__all__ = ["bending", "constants", "norms", "pooling", "signs", "slopes", "stand_in"]
