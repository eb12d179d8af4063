"""Plans on the screen: golden text, and that nothing is hidden or too wide."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plans import plans
from suture._fate import dim_maps
from suture._fold import Row, fold
from suture._plan import (
    Block,
    Fill,
    Label,
    Note,
    Own,
    Placement,
    Plan,
    Reduction,
    Run,
    Runs,
    Sum,
    Tensor,
    TensorPlan,
    Term,
    Value,
)

FRESH, ZERO = Own(), Value(0.0)


def to(*runs: int) -> Runs:
    """Write runs flat: `to(0, 2, 5, 6)` is 0..2 and 5..6."""
    return tuple(zip(runs[::2], runs[1::2], strict=True))


def copy(source: str, *index: Runs) -> Sum:
    return Sum((Term(source, index),))


def carried(
    name: str,
    before: tuple[int, ...] | None,
    after: tuple[int, ...],
    *blocks: tuple[tuple[Runs, ...], Fill],
    labels: tuple[Label, ...] = (),
) -> TensorPlan:
    """Plan a parameter that keeps its name."""
    source = None if before is None else Tensor(name, before, "f32")
    made = tuple(Block(region, fill) for region, fill in blocks)
    return TensorPlan(Tensor(name, after, "f32"), source, "parameter", made, labels)


FEATURES = (
    Label(1, "x", None, 0),
    Label(1, "theta", 0, 1),
    Label(1, "v", None, 2),
    Label(1, "omega", 1, 3),
)
ACTIONS = (Label(1, "left", 0, 0), Label(1, "right", 1, 1))


def cartpole() -> Plan:
    """Plan an agent that gains two features, width and a value head, and loses another head."""
    both = (to(0, 64), to(1, 2, 3, 4))
    tensors = (
        carried(
            "pi.0.weight",
            (64, 2),
            (96, 4),
            (both, copy("pi.0.weight", to(0, 64), to(0, 2))),
            ((to(0, 64), to(0, 1, 2, 3)), ZERO),
            ((to(64, 96), to(0, 4)), FRESH),
            labels=FEATURES,
        ),
        carried(
            "pi.0.bias",
            (64,),
            (96,),
            ((to(0, 64),), copy("pi.0.bias", to(0, 64))),
            ((to(64, 96),), FRESH),
        ),
        carried("pi.2.bias", (2,), (2,), ((to(0, 2),), copy("pi.2.bias", to(0, 2)))),
        carried("vf.weight", None, (1, 96), ((to(0, 1), to(0, 96)), FRESH)),
    )
    states = Tensor("obs", (8, 2), "f32"), Tensor("obs", (8, 4), "f32")
    logits = Tensor("0", (8, 2), "f32")
    batch = (Run(0, 0, 8),)
    return Plan(
        "3f2a9c01d2e4b6a8",
        "8be41d77a0c2e4f6",
        tensors,
        inputs=(Placement("obs", *states, (batch, (Run(1, 0, 1), Run(3, 1, 1))), None, FEATURES),),
        outputs=(Placement("0", logits, logits, (batch, (Run(0, 0, 2),)), None, ACTIONS),),
        notes=(
            Note("unused", "old.weight", "the target has no parameter of this name"),
            Note("fresh", "vf.weight", "the source has no parameter of this name"),
            Note("pairing", "obs", "dim 0 has no names: paired by position"),
        ),
        unpaired=(Tensor("old.weight", (3, 64), "f32"),),
    )


CARTPOLE = """\
Plan 3f2a9c01d2e4 -> 8be41d77a0c2

  = as before   ~ changed   + new   - removed   a..b from a up to b, without b   <- comes from
  : a whole dim   own init as the target was initialised

inputs
  ~ obs   f32[8,2] -> f32[8,4]
      dim 1   1 <- 0, 3 <- 1; fresh 0, 2
              new x at 0, v at 2; moved theta 0 -> 1, omega 1 -> 3

outputs
  = 0   f32[8,2]

parameters
  ~ pi.0.weight   f32[64,2] -> f32[96,4]   widened
      dim 0      0..64 <- 0..64; fresh 64..96
      dim 1      1 <- 0, 3 <- 1; fresh 0, 2
                 new x at 0, v at 2; moved theta 0 -> 1, omega 1 -> 3
      0          [0..64, {0, 2}]
      own init   [64..96, :]
  ~ pi.0.bias     f32[64] -> f32[96]       widened
      dim 0      0..64 <- 0..64; fresh 64..96
      own init   [64..96]
  = pi.2.bias     f32[2]                   copied
  + vf.weight     f32[1,96]                new: own init
      because   the source has no parameter of this name

removed
  - old.weight   f32[3,64]
      because   the target has no parameter of this name

notes
  pairing   obs: dim 0 has no names: paired by position

4 parameters: 2 widened, 1 copied, 1 new
1 source tensor: 1 removed
578 entries: 194 copied, 128 zero, 256 own init
Exact: every old output is kept."""


def test_features_among_the_old_ones() -> None:
    """The screen says where each range comes from, which names are new or moved, and what fills."""
    assert str(cartpole()) == CARTPOLE


def block_of(i: int) -> tuple[TensorPlan, ...]:
    """Plan one block of a transformer whose stream grows from 6 to 8."""
    norm = f"blocks.{i + 1}.norm.weight"
    gain = carried(
        f"h.{i}.ln.weight",
        (6,),
        (8,),
        ((to(0, 6),), Sum((Term(norm, (to(0, 6),), 0.75),))),
        ((to(6, 8),), FRESH),
    )
    q, k, v = (f"h.{i}.{name}" for name in "qkv")
    folded = Term(v, (to(0, 3), to(0, 5)), 0.5, (Reduction(1, (1.0, 2.0, 0.0, 0.0, 4.0), True),))
    fused = carried(
        f"h.{i}.qkv",
        None,
        (9, 4),
        ((to(0, 3), to(0, 4)), copy(q, to(0, 3), to(0, 4))),
        ((to(3, 6), to(0, 4)), copy(k, to(0, 2, 5, 6), to(0, 4))),
        ((to(6, 9), to(0, 4)), Sum((Term(v, (to(0, 3), to(5, 9))), folded))),
    )
    return replace(gain, source=Tensor(norm, (6,), "f32")), fused


def transformer() -> Plan:
    """Plan a transformer of three blocks, by every word of the language."""
    tokens = (
        Label(0, "bye", 2, None),
        Label(0, "hi", 1, 0),
        *(Label(0, f"t{i}", None, 1 + i) for i in range(12)),
    )
    table = carried(
        "wte.weight",
        (3, 6),
        (13, 8),
        ((to(0, 1), to(0, 6)), copy("wte.weight", to(1, 2), to(0, 6))),
        ((to(1, 13), to(0, 6)), FRESH),
        ((to(0, 13), to(6, 8)), Value(0.25)),
        labels=tokens,
    )
    whole = (to(0, 4), to(0, 4))
    deeper = carried("deeper.weight", None, (4, 4), (whole, Value(1.0, (0, 1))))
    mean = Tensor("bn.running_mean", (5,), "f64")
    turned = copy(mean.name, to(4, 5, 2, 4, 0, 2))
    statistics = Tensor("bn.running_mean", (5,), "f32")
    mixed = "LayerNorm reads all units of the stream, and 2 of its 8 units are fresh: they move its"
    ids = Tensor("ids", (2, 7), "i64")
    names = tuple(replace(label, dim=-1) for label in tokens[:3])
    return Plan(
        "3f2a9c01d2e4b6a8",
        "8be41d77a0c2e4f6",
        (
            replace(table, tied=("lm_head.weight",)),
            *(tensor for i in range(3) for tensor in block_of(i)),
            replace(deeper, reason="between two copies of the same units"),
            TensorPlan(statistics, mean, "buffer", (Block((to(0, 5),), turned),)),
        ),
        inputs=(
            Placement("ids", ids, ids, ((Run(0, 0, 2),), (Run(0, 0, 7),)), (Run(0, 1, 1),), names),
            Placement("mask", ids, None, ()),
        ),
        notes=(
            Note("cast", "bn.running_mean", "f64 is cast to f32"),
            *(Note("inexact", f"h.{i}.ln", f"{mixed} mean and variance") for i in range(3)),
            Note("inexact", "ln_f", f"{mixed} mean and variance"),
        ),
    )


TRANSFORMER = """\
Plan 3f2a9c01d2e4 -> 8be41d77a0c2

  ~ changed   + new   - removed   a..b from a up to b, without b   <- comes from   : a whole dim
  own init as the target was initialised   x.{a..b} each of x.a to x.b

inputs
  ~ ids    i64[2,7]
      values   0 <- 1
               new t0 at 1; moved hi 1 -> 0; gone bye from 2
  - mask   i64[2,7]   removed

parameters
  ~ wte.weight           f32[3,6] -> f32[13,8]   widened
      tied       lm_head.weight
      dim 0      0 <- 1; fresh 1..13; dropped 0, 2
                 new t0 at 1, t1 at 2, t2 at 3, t3 at 4, t4 at 5, t5 at 6, t6 at 7, ... 5 more;
                 moved hi 1 -> 0; gone bye from 2
      dim 1      0..6 <- 0..6; fresh 6..8
      own init   [1..13, 0..6]
      0.25       [:, 6..8]
  ~ h.{0..2}.ln.weight   f32[6] -> f32[8]        widened, scaled
      from       blocks.{1..3}.norm.weight
      dim 0      0..6 <- 0..6; fresh 6..8
      scaled     [0..6] <- 0.75 * blocks.{1..3}.norm.weight[0..6]
      own init   [6..8]
  ~ h.{0..2}.qkv         f32[9,4]                merged
      from   [0..3, :] <- h.{0..2}.q[0..3, 0..4]
             [3..6, :] <- h.{0..2}.k[{0..2, 5}, 0..4]
      sum    [6..9, :] <- h.{0..2}.v[0..3, 5..9] + 0.5 * sum(h.{0..2}.v[0..3, 0..5], dim 1, kept,
             weights 1, 2, 0, 0, 4)
  + deeper.weight        f32[4,4]                new: identity
      identity   [:, :] across dims 0, 1
      because    between two copies of the same units

buffers
  ~ bn.running_mean   f64[5] -> f32[5]   reordered, cast
      dim 0   0 <- 4, 1..3 <- 2..4, 3..5 <- 0..2

notes
  inexact   h.{0..2}.ln, ln_f: LayerNorm reads all units of the stream, and 2 of its 8 units are
            fresh: they move its mean and variance
  cast      bn.running_mean: f64 is cast to f32

8 parameters: 4 widened, 3 merged, 1 new
1 buffer: 1 reordered
257 entries: 83 copied, 54 calculated, 26 constant, 16 identity, 78 own init
Not exact: 4 notes say where."""


def test_blocks_of_equal_fate() -> None:
    """Tensors of equal fate stand in one line, sums are written out, inexact notes are first."""
    assert str(transformer()) == TRANSFORMER


def test_a_plan_on_a_condition() -> None:
    """The promise names its conditions."""
    note = Note("condition", "obs.wind", "removed: it must hold 0")
    last = str(replace(cartpole(), notes=(note,))).splitlines()[-1]
    assert last == "Exact on 1 condition: see the notes."


def expanded(name: str) -> list[str]:
    """Undo the folding of a name."""
    parts = re.split(r"[{}]", name)
    choices = [[part] for part in parts]
    for i in range(1, len(parts), 2):
        ends = [list(map(int, run.split(".."))) for run in parts[i].split(",")]
        choices[i] = [str(n) for run in ends for n in range(run[0], run[-1] + 1)]
    return ["".join(choice) for choice in product(*choices)]


@given(plans())
def test_any_plan_on_the_screen(plan: Plan) -> None:
    """No line is wider than 100 columns, and every tensor is on it once."""
    screen = str(plan)
    assert max(map(len, screen.splitlines())) <= 100
    shown = re.findall(r"^  [=~+-] (layer\S+)", screen, re.MULTILINE)
    names = [name for folded in shown for name in expanded(folded)]
    assert sorted(names) == sorted(tensor.target.name for tensor in plan.tensors)


@given(plans())
def test_dims_that_say_where_entries_come_from(plan: Plan) -> None:
    """Where the dims tell of the copies, they give every copied entry its place."""
    for tensor in plan.tensors:
        maps = dim_maps(tensor) or ()
        places = [
            {run.target + i: run.source + i for run in runs for i in range(run.length)}
            for runs in maps
        ]
        for block in tensor.blocks if maps else ():
            if isinstance(block.fill, Sum) and block.size:
                told = zip(places, block.region, block.fill.terms[0].index, strict=True)
                for place, made, taken in told:
                    assert [place[i] for i in flat(made)] == flat(taken)


def flat(runs: Runs) -> list[int]:
    return [position for start, stop in runs for position in range(start, stop)]


parts = st.sampled_from(["a", "b", "0", "1", "2", "01"])
keypaths = st.lists(parts, min_size=1, max_size=3).map(".".join)


@given(st.lists(st.tuples(keypaths, st.sampled_from(["same", "other"])), unique=True))
def test_folded_names(rows: list[tuple[str, str]]) -> None:
    """Names unfold into those that were folded, each with what was said of it."""
    folded = fold([Row((name,), said) for name, said in rows])
    unfolded = [(name, row.said) for row in folded for name in expanded(row.names[0])]
    assert sorted(unfolded) == sorted(rows)
    assert sum(row.members for row in folded) == len(rows)


@pytest.mark.parametrize(
    ("rows", "folded"),
    [
        ([("h.0.w", "g.1.w"), ("h.1.w", "g.2.w")], [("h.{0..1}.w", "g.{1..2}.w")]),
        ([("h.0.w", "tied"), ("h.1.w", "tied")], [("h.{0..1}.w", "tied")]),
        ([("h.0.w", "g.0.0"), ("h.1.w", "g.1.1")], [("h.0.w", "g.0.0"), ("h.1.w", "g.1.1")]),
        ([("e.0.0",), ("e.0.2",), ("e.1.0",), ("e.1.2",)], [("e.{0..1}.{0,2}",)]),
    ],
    ids=["numbers shifted", "one source", "two numbers at once", "two numbers in turn"],
)
def test_rows_of_several_names(rows: list[tuple[str, ...]], folded: list[tuple[str, ...]]) -> None:
    """Rows fold where the order says which names belong together."""
    assert [row.names for row in fold([Row(names, "said") for names in rows])] == folded
