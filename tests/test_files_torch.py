"""Files of torch: however weights are nested in them, and whatever else they hold."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import suture
from suture._errors import FileError, PlanError
from suture._files import Checkpoint, carry_file, open_checkpoint
from suture._plan import Plan
from widened import ZEROS, layers, widened

OLD = layers()
PLAN = widened(OLD, fill=ZEROS)


def weights(seed: int = 0, before: str = "") -> dict[str, torch.Tensor]:
    return {before + name: torch.from_numpy(array) for name, array in layers(seed).items()}


def opened(tmp_path: Path, whole: object, name: str | None = None, **how: Any) -> Checkpoint:
    torch.save(whole, tmp_path / "old", **how)
    return open_checkpoint(tmp_path / "old", name)


def carried(tmp_path: Path, whole: object, plan: Plan = PLAN, **how: Any) -> Any:
    carry_file(plan, opened(tmp_path, whole), tmp_path / "new", **how)
    return torch.load(tmp_path / "new", weights_only=True)


def same(found: Mapping[str, torch.Tensor], seed: int = 0, before: str = "") -> bool:
    """Say whether weights are the old ones with a row of zeros."""
    expected = {before + n: np.pad(a, [(0, 1), (0, 0)][: a.ndim]) for n, a in layers(seed).items()}
    return found.keys() == expected.keys() and all(
        np.array_equal(found[name].numpy(), array) for name, array in expected.items()
    )


@pytest.mark.parametrize("key", ["model", "state_dict", "model_state_dict", "anything"])
def test_weights_in_a_mapping(tmp_path: Path, key: str) -> None:
    """They are found, and what lies beside is kept."""
    found = carried(tmp_path, {"step": 3, key: weights(), "rates": [0.1, (2, None)]})
    assert same(found.pop(key))
    assert found == {"step": 3, "rates": [0.1, (2, None)]}


def test_a_state_dict_and_what_modules_say_of_themselves(tmp_path: Path) -> None:
    """A model's own state dict stays one, its versions included."""
    model = nn.BatchNorm1d(3)
    state = model.state_dict()
    plan = widened({name: t.numpy() for name, t in state.items() if t.dim()}, fill=ZEROS)
    graph = suture.trace(suture.Subject(model, (torch.zeros(2, 3),)))
    counter = [t for t in suture.plan(graph, graph).tensors if not t.target.shape]
    found = carried(tmp_path, state, Plan("a1", "b2", (*plan.tensors, *counter)))
    assert isinstance(found, OrderedDict)
    assert vars(found)["_metadata"] == vars(state)["_metadata"]
    nn.BatchNorm1d(4).load_state_dict(found)


def test_wrappers_of_names(tmp_path: Path) -> None:
    """What data parallel training puts before all names stands before the new ones."""
    assert same(carried(tmp_path, weights(before="module.")), before="module.")


LIGHTNING = {
    "pytorch-lightning_version": "2.5.0",
    "epoch": 4,
    "state_dict": weights(before="model."),
    "loops": {"fit_loop": {"state_dict": {}, "total": 9}},
    "callbacks": {"WeightAveraging": {"averaging_state": weights(7, "model."), "count": 5}},
    "lr_schedulers": [{"last_epoch": 4, "_last_lr": [0.1]}],
    "rng": {"torch": torch.arange(5, dtype=torch.uint8)},
}


def test_a_checkpoint_of_lightning(tmp_path: Path) -> None:
    """Weights and their averages are carried, and loops, schedulers and chance stay as they are."""
    assert opened(tmp_path, LIGHTNING).format == "lightning"
    found = carried(tmp_path, LIGHTNING)
    assert same(found["state_dict"], before="model.")
    assert same(found["callbacks"]["WeightAveraging"]["averaging_state"], 7, "model.")
    assert found["callbacks"]["WeightAveraging"]["count"] == 5
    assert found["rng"]["torch"].tolist() == [0, 1, 2, 3, 4]
    for key in ("pytorch-lightning_version", "epoch", "loops", "lr_schedulers"):
        assert found[key] == LIGHTNING[key]


def test_averages_that_count(tmp_path: Path) -> None:
    """What an average counts goes on."""
    averages = {"n_averaged": torch.tensor(5), **weights(7, "module.")}
    found = carried(tmp_path, {"model": weights(), "swa": averages})["swa"]
    assert found.pop("n_averaged") == 5
    assert same(found, 7, "module.")


@pytest.mark.parametrize("decay", [0.9, torch.tensor([0.9, 0.1])], ids=["number", "tensor"])
def test_averages_beside_what_they_are_made_by(tmp_path: Path, decay: Any) -> None:
    """What else stands among them does not hide them: it goes along, or is named."""
    whole = {"model": weights(), "ema": {**weights(7), "decay": decay}}
    if isinstance(decay, float):
        found = carried(tmp_path, whole)["ema"]
        assert found.pop("decay") == 0.9
        assert same(found, 7)
    else:
        with pytest.raises(PlanError, match="decay is unexpected"):
            carried(tmp_path, whole)


def test_averages_of_parameters_alone(tmp_path: Path) -> None:
    """Those of a network with buffers need none of them."""
    sides = [nn.Sequential(nn.Linear(3, h), nn.BatchNorm1d(h), nn.Linear(h, 2)) for h in (6, 9)]
    old, new = (suture.trace(suture.Subject(side, (torch.randn(5, 3),))) for side in sides)
    plan, state = suture.plan(old, new), sides[0].state_dict()
    averages = {name: weight.detach() + 1 for name, weight in sides[0].named_parameters()}
    told = {"fresh": sides[1].state_dict()}
    found = carried(tmp_path, {"state_dict": state, "ema": averages}, plan, **told)
    kept = {name: w.detach() for name, w in sides[1].named_parameters()}
    expected = suture.apply(
        replace(plan, tensors=tuple(t for t in plan.tensors if t.target.name in kept)),
        averages,
        kept,
    )
    assert found["ema"].keys() == expected.keys()
    assert all(torch.equal(found["ema"][name], expected[name]) for name in expected)
    assert "1.running_mean" in found["state_dict"]


@pytest.mark.parametrize(
    "averages",
    [
        {"shadow_params": [*weights(7).values()], "decay": 0.9},
        {"shadow_params": {f"net.{name}": w for name, w in weights(7).items()}},
        {"shadow_params": {name.replace(".", ""): w for name, w in weights(7).items()}},
    ],
    ids=["in order", "below another name", "without dots"],
)
def test_averages_without_the_names_of_weights(tmp_path: Path, averages: Any) -> None:
    """What may be the old network's weights is not left among the new one's: it is refused."""
    whole = {"model": weights(), "ema": averages}
    with pytest.raises(FileError) as caught:
        carried(tmp_path, whole)
    assert str(caught.value) == (
        f"{tmp_path}/old holds what may be copies of the weights, not under their names.\n"
        f"  copy     ema.shadow_params: {len(OLD)} tensors, of the parameters' shapes\n\n"
        "hint: carry the weights alone: --format torch"
    )
    assert not (tmp_path / "new").exists()
    assert same(carried(tmp_path, whole, format="torch"))


def test_averages_of_another_model(tmp_path: Path) -> None:
    """A copy of the weights that a plan does not fit is refused, not kept as it was."""
    averages = {"fc.weight": torch.zeros(9, 3), "fc.bias": torch.zeros(4)}
    with pytest.raises(PlanError) as caught:
        carried(tmp_path, {"model": weights(), "ema": averages})
    sentence = f"{tmp_path}/old holds a copy of the weights, ema, that is not of the plan's model."
    assert caught.value.sentence == sentence
    assert "fc.weight is f32[9,3]" in str(caught.value)
    assert caught.value.hint == "carry the weights alone: --format torch"


def trained() -> dict[str, Any]:
    model = nn.Linear(3, 4)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.zeros(1, 3)).sum().backward()
    optimizer.step()
    return {"model": weights(), "training": {"optimizer": optimizer.state_dict()}, "step": 1}


OPTIMIZER = """\
{folder}/old holds the state of optimizers of the old weights.
  optimizer training.optimizer

hint: carry them, or leave them out: --reset-optimizer"""


def test_an_optimizer_of_which_nothing_was_said(tmp_path: Path) -> None:
    """Its moments belong to the old weights: they are neither kept nor lost in silence."""
    with pytest.raises(FileError) as caught:
        carried(tmp_path, trained(), optimizer="refuse")
    assert str(caught.value) == OPTIMIZER.format(folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_an_optimizer_that_begins_anew(tmp_path: Path) -> None:
    """It is left out, and that is told."""
    written = carry_file(PLAN, opened(tmp_path, trained()), tmp_path / "new", optimizer="reset")
    assert written.left_out == ("training.optimizer",)
    found = torch.load(tmp_path / "new", weights_only=True)
    assert found["training"] == {}
    assert found["step"] == 1


def test_an_optimizer_that_is_carried(tmp_path: Path) -> None:
    """What a function makes of its state takes its place."""

    def doubled(name: str, state: Mapping[str, Any]) -> Mapping[str, Any]:
        assert name == "training.optimizer"
        more = {
            key: {**each, "exp_avg": each["exp_avg"] * 2} for key, each in state["state"].items()
        }
        return {**state, "state": more}

    before = trained()
    found = carried(tmp_path, before, optimizer=doubled)["training"]["optimizer"]
    moments = before["training"]["optimizer"]["state"]
    for key, each in found["state"].items():
        assert torch.equal(each["exp_avg"], moments[key]["exp_avg"] * 2)
        assert torch.equal(each["exp_avg_sq"], moments[key]["exp_avg_sq"])


def test_moments_that_follow_their_weights(tmp_path: Path) -> None:
    """`transfer_optimizer` gives the state of the new optimizer, which loads beside the weights."""

    def made(hidden: int) -> tuple[suture.Subject, torch.optim.Adam]:
        model = nn.Sequential(nn.Linear(3, hidden), nn.Tanh(), nn.Linear(hidden, 2))
        return suture.Subject(model, (torch.randn(5, 3),)), torch.optim.Adam(model.parameters())

    (old, before), (new, after) = made(4), made(6)
    old.model(old.args[0]).square().sum().backward()
    before.step()
    plan = suture.plan(suture.trace(old), suture.trace(new))

    def follow(name: str, state: Mapping[str, Any]) -> Mapping[str, Any]:
        return suture.transfer_optimizer(plan, state, after.state_dict(), old, new).state

    source = opened(tmp_path, {"model": old.model.state_dict(), "optimizer": before.state_dict()})
    fresh = new.model.state_dict()
    carry_file(plan, source, tmp_path / "new", fresh=fresh, optimizer=follow)
    found = torch.load(tmp_path / "new", weights_only=True)
    new.model.load_state_dict(found["model"])
    after.load_state_dict(found["optimizer"])
    moments = after.state[new.model[0].weight]["exp_avg"]
    assert torch.equal(moments[:4], before.state[old.model[0].weight]["exp_avg"])


def test_several_sets_of_weights(tmp_path: Path) -> None:
    """Which are the model's is asked, and may be said."""
    whole = {"actor": weights(), "critic": weights(3)}
    with pytest.raises(FileError) as caught:
        opened(tmp_path, whole)
    assert str(caught.value) == (
        f"{tmp_path}/old holds several sets of weights.\n  weights  actor\n  weights  critic\n\n"
        "hint: say which are the model's: --weights actor"
    )
    assert opened(tmp_path, whole, "critic").arrays["fc.bias"][0] == layers(3)["fc.bias"][0]


class Settings:
    """What a file of weights should not need."""


def test_a_file_that_needs_code(tmp_path: Path) -> None:
    """It is refused by the names that it asks for; nothing of it is run."""
    with pytest.raises(FileError) as caught:
        opened(tmp_path, {"model": weights(), "settings": Settings()})
    assert str(caught.value) == (
        f"{tmp_path}/old holds more than weights: code would have to run to read it.\n"
        "  asks for test_files_torch.Settings\n\n"
        "hint: if you trust it, load it with weights_only=False and save the state dict alone"
    )


def test_a_file_of_an_old_torch(tmp_path: Path) -> None:
    """What was written before there were archives is read too."""
    torch.save(weights(), tmp_path / "old", _use_new_zipfile_serialization=False)
    carry_file(PLAN, open_checkpoint(tmp_path / "old"), tmp_path / "new")
    assert same(torch.load(tmp_path / "new", weights_only=True, mmap=True))


def test_tensors_that_share_memory(tmp_path: Path) -> None:
    """Of what is kept, views of one tensor stay views of one tensor."""
    whole = torch.arange(6.0)
    found = carried(tmp_path, {"model": weights(), "x": [whole[1:3], whole.view(2, 3).T]})["x"]
    assert found[0].tolist() == [1, 2]
    assert found[1].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert found[0].untyped_storage().data_ptr() == found[1].untyped_storage().data_ptr()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_file_that_is_cut_off(tmp_path: Path, share: float) -> None:
    """It is refused."""
    torch.save(weights(), tmp_path / "whole")
    content = (tmp_path / "whole").read_bytes()
    (tmp_path / "old").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(FileError, match="old is a broken archive"):
        open_checkpoint(tmp_path / "old")


def test_a_second_application(tmp_path: Path) -> None:
    """The file says which plan made it, where no reader of torch looks."""
    carried(tmp_path, {"model": weights()})
    with pytest.raises(PlanError, match="was made by this plan already"):
        carry_file(PLAN, open_checkpoint(tmp_path / "new"), tmp_path / "newer")


def test_tensors_that_do_not_lie_in_memory(tmp_path: Path) -> None:
    """Sparse ones are refused, wherever they lie."""
    with pytest.raises(FileError, match=r"not plain numbers\.\n  tensor   Tensor of torch.float32"):
        opened(tmp_path, {"model": weights(), "more": torch.eye(3).to_sparse()})


def test_weights_that_hold_more_than_tensors(tmp_path: Path) -> None:
    """What a module keeps besides (`_extra_state`) stays as it is."""
    found = carried(tmp_path, {**weights(), "fc._extra_state": {"scale": 2}})
    assert found.pop("fc._extra_state") == {"scale": 2}
    assert same(found)
