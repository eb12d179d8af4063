"""What tells entries apart where no name does: offsets of taps, constants along an axis."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import suture
from small import planned
from suture._plan import Sum


class Padded(nn.Module):
    """A convolution behind an explicit pad."""

    def __init__(self, taps: int, front: int, behind: int, mode: str = "constant") -> None:
        super().__init__()
        self.conv = nn.Conv1d(3, 4, taps)
        self.pad, self.mode = (front, behind), mode

    def forward(self, input: Tensor) -> Tensor:
        out: Tensor = self.conv(F.pad(input, self.pad, mode=self.mode))
        return out


class Shortened(nn.Module):
    """A causal convolution that cuts off what it reads too much."""

    def __init__(self, taps: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(3, 4, taps, padding=taps - 1)

    def forward(self, input: Tensor) -> Tensor:
        out: Tensor = self.conv(input)[..., : input.shape[-1]]
        return out


class Twice(nn.Module):
    """One kernel at two dilations: its taps have no offset of their own."""

    def __init__(self, taps: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 3, taps))

    def forward(self, input: Tensor) -> Tensor:
        reach = self.weight.shape[-1] // 2
        once = F.conv1d(input, self.weight, padding=reach)
        return F.conv1d(once, self.weight, padding=2 * reach, dilation=2)


def conv(taps: int, padding: int, stride: int = 1, dilation: int = 1) -> nn.Module:
    return nn.Conv1d(3, 4, taps, padding=padding, stride=stride, dilation=dilation)


GROWN: dict[str, tuple[nn.Module, nn.Module, list[int]]] = {
    "same padding, from the centre": (conv(3, 1), conv(5, 2), [-1, 0, 1, 2, -1]),
    "one tap": (conv(1, 0, stride=2), conv(3, 1, stride=2), [-1, 0, -1]),
    "no padding, from the beginning": (conv(3, 0), conv(4, 0), [0, 1, 2, -1]),
    "strided": (conv(3, 1, stride=2), conv(5, 2, stride=2), [-1, 0, 1, 2, -1]),
    "dilated taps become a dense kernel": (
        conv(3, 2, dilation=2),
        conv(5, 2),
        [0, -1, 1, -1, 2],
    ),
    "causal by a pad, from the end": (Padded(3, 2, 0), Padded(5, 4, 0), [-1, -1, 0, 1, 2]),
    "causal by a cut, from the end": (Shortened(3), Shortened(4), [-1, 0, 1, 2]),
    "pad in front and behind": (Padded(2, 0, 1), Padded(4, 1, 2), [-1, 0, 1, -1]),
}


def partners(old: suture.Subject, new: suture.Subject, name: str, dim: int) -> list[int]:
    """Where the units along a dim of one axis come from, counted from the first."""
    source, target = (suture.couple(suture.trace(subject)) for subject in (old, new))
    [[left]], [[right]] = (units.tensors[name][dim] for units in (source, target))
    found = suture.match(source, target).partner[right]
    return [unit if unit < 0 else int(unit - left[0]) for unit in found.tolist()]


def kernel(model: nn.Module) -> str:
    [name] = [name for name, tensor in model.named_parameters() if tensor.ndim == 3]
    return name


@pytest.mark.parametrize("name", GROWN)
def test_a_kernel_grows(name: str) -> None:
    """Taps pair by offset, new ones are 0, and the old function is kept on real weights."""
    old, new, wanted = GROWN[name]
    for parameter in old.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(2, 3, 11)
    sides = suture.Subject(old, (x,)), suture.Subject(new, (x,))
    assert partners(*sides, kernel(new), 2) == wanted
    assert suture.transfer(*sides).exact
    count = new(x).shape[-1]
    torch.testing.assert_close(new(x), old(x)[..., :count], rtol=1e-5, atol=1e-5)


def test_a_kernel_that_is_read_with_other_steps() -> None:
    """The one tap that both have pairs; that the others are lost is said."""
    x = torch.randn(2, 3, 11)
    sides = suture.Subject(conv(3, 1), (x,)), suture.Subject(conv(3, 2, dilation=2), (x,))
    assert partners(*sides, "weight", 2) == [-1, 1, -1]
    plan = planned(*sides)
    [note] = [note for note in plan.notes if note.kind == "inexact"]
    assert (note.subject, note.reason) == (
        "weight dim 2",
        "lost units are taps of a kernel, read by convolution",
    )


def test_one_kernel_at_two_dilations() -> None:
    """Its taps have no offset of their own: they pair in order, and nothing is promised."""
    x = torch.randn(2, 3, 11)
    sides = suture.Subject(Twice(3), (x,)), suture.Subject(Twice(5), (x,))
    assert partners(*sides, "weight", 2) == [0, 1, 2, -1, -1]
    assert not planned(*sides).exact


class Folded(nn.Module):
    """A kernel whose taps are two dims of a parameter in one."""

    def __init__(self, taps: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 3, taps, 2))

    def forward(self, input: Tensor) -> Tensor:
        return F.conv1d(input, self.weight.flatten(2), padding=self.weight.shape[2])


def test_taps_that_are_two_dims_in_one() -> None:
    """They have no offsets one by one: what is new among them is said to be inexact."""
    x = torch.randn(2, 3, 11)
    plan = planned(suture.Subject(Folded(2), (x,)), suture.Subject(Folded(3), (x,)))
    assert [note.reason for note in plan.notes if note.kind == "inexact"] == [
        "fresh units are taps of a kernel, read by convolution"
    ]


class Rotary(nn.Module):
    """Attention scores of one head with rotary positions: halves (i, i + d/2) turn together."""

    def __init__(self, size: int, base: float = 100.0, device: str | None = None) -> None:
        super().__init__()
        self.query, self.key = (nn.Linear(3, size, device=device) for _ in range(2))
        steps = torch.arange(0, size, 2, device=device)
        self.register_buffer("frequency", base ** (-steps / size), persistent=False)

    def turned(self, x: Tensor) -> Tensor:
        angle = torch.arange(x.shape[1], device=x.device)[:, None] * self.get_buffer("frequency")
        angle = torch.cat([angle, angle], -1)
        one, other = x.chunk(2, dim=-1)
        return x * angle.cos() + torch.cat([-other, one], -1) * angle.sin()

    def forward(self, input: Tensor) -> Tensor:
        query, key = self.turned(self.query(input)), self.turned(self.key(input))
        return query @ key.mT


def rotary(size: int, base: float = 100.0, device: str | None = None) -> suture.Subject:
    return suture.Subject(Rotary(size, base, device), (torch.randn(2, 5, 3, device=device),))


def rows(plan: suture.Plan) -> list[int]:
    """Where the rows of the query come from."""
    [query] = [t for t in plan.tensors if t.target.name == "query.bias"]
    found = [-1] * query.target.shape[0]
    for block in query.blocks:
        match block.fill:
            case Sum(terms):
                [term] = terms
                new, old = (np.concatenate([np.r_[a:b] for a, b in runs]) for [runs] in
                            (block.region, term.index))  # fmt: skip
                for at, come in zip(new.tolist(), old.tolist(), strict=True):
                    found[at] = come
            case _:
                pass
    return found


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        (4, 8, [0, -1, 1, -1, 2, -1, 3, -1]),
        (8, 4, [0, 2, 4, 6]),
        (4, 6, [0, -1, -1, 2, -1, -1]),
        (6, 6, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_rotary_pairs_go_by_frequency(before: int, after: int, wanted: list[int]) -> None:
    """What turns at a frequency that the source has comes from there; the rest is fresh."""
    plan = planned(rotary(before), rotary(after))
    assert rows(plan) == wanted
    assert plan.exact == (after % before == 0)


def test_the_new_features_of_a_rotary_head_see_nothing_old() -> None:
    """What a plan by frequency keeps is kept: scores are old, up to the new features' own."""
    old, new = rotary(4), rotary(8)
    plan = planned(old, new)
    state = suture.apply(plan, old.model.state_dict(), new.model.state_dict())
    fresh = [at for at, come in enumerate(rows(plan)) if come < 0]
    for name in ("query.weight", "query.bias"):
        state[name][fresh] = 0.0
    new.model.load_state_dict(state)
    x = torch.randn(3, 7, 3)
    torch.testing.assert_close(new.model(x), old.model(x), rtol=1e-5, atol=1e-5)


def test_another_base_of_rotary_positions() -> None:
    """Features of equal number keep their weights; that they turn otherwise is said."""
    plan = planned(rotary(6, 100.0), rotary(6, 500.0))
    assert rows(plan) == [0, 1, 2, 3, 4, 5]
    assert [note.subject for note in plan.notes if note.kind == "inexact"] == ["constants"]


def test_frequencies_that_nobody_knows() -> None:
    """On the meta device a constant has no values: the plan says what it takes for granted."""
    plan = planned(rotary(6, 100.0, "meta"), rotary(6, 500.0, "meta"))
    said = [(note.kind, note.reason) for note in plan.notes if note.kind != "pairing"]
    reason = "meets a constant without values (meta device): as if it were as before"
    assert said == [("condition", reason)]
    plan = planned(rotary(4, device="meta"), rotary(6, device="meta"))
    reasons = [note.reason for note in plan.notes if note.kind == "inexact"]
    assert "grew along a constant without values (meta device): paired in order" in reasons
