"""States of optimizers in files: they go along with the weights, or an error says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import suture
from nets import Net
from resumed import Case
from stepped import same
from suture._files import foresee, open_checkpoint

# --- files of torch ------------------------------------------------------------


def test_an_optimizer_beside_its_model(tmp_path: Path) -> None:
    """Buffers are not counted and tied weights once; its options stay, and it loads."""
    case = Case()
    found = case.carried(tmp_path, case.nested())
    same(found["optimizer"], case.expected())
    assert found["optimizer"]["param_groups"][0]["lr"] == 0.01
    assert found["model"].keys() == case.new.model.state_dict().keys()
    case.new.model.load_state_dict(found["model"])
    case.after.load_state_dict(found["optimizer"])
    case.new.model(case.new.args[0]).square().mean().backward()
    case.after.step()


def test_a_checkpoint_of_lightning_with_its_optimizer(tmp_path: Path) -> None:
    """The one optimizer goes along; its schedulers, whose groups are the same, stay as they are."""
    case = Case()
    whole = {
        "pytorch-lightning_version": "2.5.0",
        "state_dict": {f"model.{n}": t for n, t in case.old.model.state_dict().items()},
        "optimizer_states": [case.before.state_dict()],
        "lr_schedulers": [{"last_epoch": 4, "_last_lr": [0.1]}],
    }
    found = case.carried(tmp_path, whole)
    same(found["optimizer_states"][0], case.expected())
    assert found["lr_schedulers"] == whole["lr_schedulers"]
    assert "model.into.weight" in found["state_dict"]


def matrices(model: nn.Module) -> list[dict[str, Any]]:
    """Decay matrices and nothing else, as people do: two groups with names."""
    named = [*model.named_parameters()]
    return [
        {"params": [(n, p) for n, p in named if p.dim() > 1], "weight_decay": 0.3},
        {"params": [(n, p) for n, p in named if p.dim() < 2], "weight_decay": 0.0},
    ]


def test_groups_with_names(tmp_path: Path) -> None:
    """Each parameter goes into the group of its source."""
    case = Case(matrices)
    found = case.carried(tmp_path, case.nested())["optimizer"]
    same(found, case.expected())
    names = [group["param_names"] for group in found["param_groups"]]
    assert names == [group["param_names"] for group in case.after.state_dict()["param_groups"]]
    assert [group["weight_decay"] for group in found["param_groups"]] == [0.3, 0.0]


def test_names_behind_a_wrapper(tmp_path: Path) -> None:
    """What stands before the old names stands before the new ones."""
    case = Case(lambda model: nn.ModuleDict({"model": model}).named_parameters())
    before = {f"model.{n}": t for n, t in case.old.model.state_dict().items()}
    whole = {"state_dict": before, "optimizer": case.before.state_dict()}
    (group,) = case.carried(tmp_path, whole)["optimizer"]["param_groups"]
    assert group["param_names"] == case.after.state_dict()["param_groups"][0]["param_names"]


def test_a_layer_that_stands_still(tmp_path: Path) -> None:
    """What a group with names does not hold is not held afterwards either."""

    def moving(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
        return [(name, p) for name, p in model.named_parameters() if name[:4] != "norm"]

    case = Case(moving)
    for one in (case.old, case.new):
        one.model.norm.requires_grad_(False)
    found = case.carried(tmp_path, case.nested())["optimizer"]
    same(found, case.expected())
    assert found["param_groups"][0]["param_names"] == [name for name, _ in moving(case.new.model)]


# --- what is not certain -------------------------------------------------------


def parted(model: nn.Module) -> list[dict[str, Any]]:
    return [{"params": [p for _, p in group["params"]]} for group in matrices(model)]


def backwards(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [*model.named_parameters()][::-1]


CASES = {
    "groups": (
        parted,
        "optimizer has 2 groups without names: which parameters each holds is not known",
    ),
    "count": (
        lambda model: [*model.parameters()][:-1],
        "optimizer holds 5 parameters; 6 are in the weights",
    ),
    "shapes": (
        lambda model: [*model.parameters()][::-1],
        "optimizer source: exp_avg of into.weight is [2]; into.weight is [4,2]",
    ),
    "order": (backwards, "optimizer group 0 has another order than the weights"),
}


@pytest.mark.parametrize("name", CASES)
def test_an_optimizer_of_unknown_parameters(tmp_path: Path, name: str) -> None:
    """Positions that do not fit the weights, and orders that torch would not find again."""
    groups, fact = CASES[name]
    case = Case(groups)
    said = case.refusal(tmp_path, case.nested())
    assert said.startswith("folder/old holds the state of optimizers that cannot be carried.\n")
    assert f"\n  {fact}\n" in said
    assert said.endswith("\n\nhint: begin them anew: --reset-optimizer")


def test_several_optimizers_without_names(tmp_path: Path) -> None:
    """All are listed."""
    case = Case()
    whole = {"model": case.old.model.state_dict(), "optimizers": [case.before.state_dict()] * 2}
    unknown = "is one of 2, without names: which parameters it holds is not known"
    assert case.refusal(tmp_path, whole) == (
        "folder/old holds the state of optimizers that cannot be carried.\n"
        f"  optimizers.0 {unknown}\n"
        f"  optimizers.1 {unknown}\n\n"
        "hint: begin them anew: --reset-optimizer"
    )


def test_an_order_that_is_not_known(tmp_path: Path) -> None:
    """Safetensors are sorted: they do not say in which order the new model has its parameters."""
    case = Case()
    fresh = {name: tensor.clone() for name, tensor in case.new.model.state_dict().items()}
    save_file(fresh, tmp_path / "fresh")
    for strange in (open_checkpoint(tmp_path / "fresh"), dict(sorted(fresh.items()))):
        assert case.refusal(tmp_path, case.nested(), fresh=strange) == (
            "folder/old holds the state of optimizers that cannot be carried.\n"
            "  optimizer the order of the new model's parameters is not known\n\n"
            "hint: give the changed model, --target TARGET, or begin them anew: --reset-optimizer"
        )
    torch.save(fresh, tmp_path / "fresh")
    case.carried(tmp_path, case.nested(), fresh=open_checkpoint(tmp_path / "fresh"))


def test_layers_that_are_gone(tmp_path: Path) -> None:
    """Their tensors are counted where all of them are parameters, or none; else nobody can say."""
    torch.manual_seed(0)
    into, out, end = nn.Linear(2, 4), nn.Linear(4, 2), nn.Linear(2, 2, bias=False)
    for norm, said in (
        (nn.LayerNorm(4), None),
        (nn.BatchNorm1d(4, affine=False), None),
        (nn.BatchNorm1d(4), "optimizer holds 7 parameters; 5 to 10 are in the weights"),
    ):
        case = Case()
        parts = {"into": into, "norm": norm, "out": out, "end": end}
        model = Net(lambda m, x: m.end(m.out(m.norm(m.into(x)).tanh()).tanh()), **parts)
        shorter = Net(
            lambda m, x: m.end(m.out(m.into(x).tanh()).tanh()),
            into=nn.Linear(3, 5),
            out=nn.Linear(5, 2),
            end=nn.Linear(2, 2, bias=False),
        )
        case.old = suture.Subject(model, case.old.args, schema=case.old.schema)
        case.new = suture.Subject(shorter, case.new.args, schema=case.new.schema)
        case.plan = suture.plan(suture.trace(case.old), suture.trace(case.new))
        case.before = torch.optim.AdamW(model.parameters())
        case.after = torch.optim.AdamW(shorter.parameters())
        model(case.old.args[0]).square().mean().backward()
        case.before.step()
        if said is not None:
            (tmp_path / "new").unlink()
            assert f"\n  {said}\n" in case.refusal(tmp_path, case.nested())
        else:
            same(case.carried(tmp_path, case.nested(), force=True)["optimizer"], case.expected())


def test_what_no_call_reaches(tmp_path: Path) -> None:
    """A plan has it last; in files it stands where the model has it."""
    case = Case()
    for each in (case.old, case.new):
        parts = {**dict(each.model.named_children()), "last": nn.Linear(3, 3)}
        parts = {"into": parts.pop("into"), "unused": nn.Linear(6, 5), **parts}
        model = Net(lambda m, x: m.last(m.out(m.norm(m.into(x)).tanh())[:, [0, 1, 1]]), **parts)
        subject = suture.Subject(model, each.args, schema=each.schema)
        case.old, case.new = (subject if each is one else one for one in (case.old, case.new))
    case.plan = suture.plan(suture.trace(case.old), suture.trace(case.new))
    case.before = torch.optim.AdamW(case.old.model.parameters())
    case.after = torch.optim.AdamW(case.new.model.parameters())
    case.old.model(case.old.args[0]).square().mean().backward()
    case.before.step()
    found = case.carried(tmp_path, case.nested())
    same(found["optimizer"], case.expected())
    assert 2 not in found["optimizer"]["state"]
    assert [n for n in found["model"] if n[:5] != "again"] == [
        n for n in case.new.model.state_dict() if n[:5] != "again"
    ]


def test_a_layer_that_no_group_has(tmp_path: Path) -> None:
    """A new parameter joins the one group that holds everything; of several, nobody says which."""
    for groups, refused in ((nn.Module.named_parameters, False), (matrices, True)):
        case = Case(groups)
        deeper = Net(
            lambda m, x: m.out(m.norm(m.more(m.into(x)).tanh())),
            into=nn.Linear(3, 5),
            more=nn.Linear(5, 5),
            norm=nn.BatchNorm1d(5),
            out=nn.Linear(5, 2),
        )
        case.new = suture.Subject(deeper, case.new.args, schema=case.new.schema)
        case.plan = suture.plan(suture.trace(case.old), suture.trace(case.new))
        if refused:
            said = case.refusal(tmp_path, case.nested())
            assert "more.weight is new: which group it belongs to is not known" in said
            continue
        (group,) = case.carried(tmp_path, case.nested())["optimizer"]["param_groups"]
        assert group["param_names"] == [name for name, _ in deeper.named_parameters()]
        (tmp_path / "new").unlink()


@pytest.mark.parametrize(
    "state",
    [
        {"state": {}, "param_groups": []},
        {"state": [], "param_groups": [{"params": [0]}]},
        {"state": {}, "param_groups": [{"params": ["into.weight"]}]},
        {"state": {0: 3}, "param_groups": [{"params": [0]}]},
        {"state": {}, "param_groups": [{"params": [0], "param_names": []}]},
        {"state": {}, "param_groups": [3]},
        {"state": {}, "param_groups": [{"params": [0], "param_names": 1}]},
        {"state": {}, "param_groups": {"params": [0]}},
    ],
)
def test_what_no_optimizer_writes(tmp_path: Path, state: dict[str, Any]) -> None:
    """Its words are there, and not what they mean."""
    case = Case()
    said = case.refusal(tmp_path, {"model": case.old.model.state_dict(), "optimizer": state})
    assert "\n  optimizer is not as optimizers of torch write it\n" in said


def test_what_is_foreseen(tmp_path: Path) -> None:
    """Every check of an optimizer is made before anything is written, and its counts are told."""
    case = Case()
    torch.save(case.nested(), tmp_path / "old")
    held, fresh = open_checkpoint(tmp_path / "old"), case.new.model.state_dict()
    (found,) = foresee(case.plan, held, tmp_path / "new", fresh=fresh).optimizers
    report = suture.transfer_optimizer(case.plan, case.before, case.after, case.old, case.new)
    carried = sum(each.carried for each in report.parameters)
    size = sum(each.size for each in report.parameters)
    assert str(found) == f"optimizer: {carried} of {size} entries carried"
