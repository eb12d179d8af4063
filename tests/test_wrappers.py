"""Wrappers that train, shard or compile a model leave no trace in the names of its tensors."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.nn.parallel import DataParallel, DistributedDataParallel

import suture
from suture._errors import TraceError
from suture._wrappers import plain_names

NAMES = ["0.weight", "0.bias", "2.weight", "2.bias"]


def net(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Linear(width, 2))


def subject(model: nn.Module) -> suture.Subject:
    return suture.Subject(model, (torch.randn(5, 3),))


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """A process group of one, as DistributedDataParallel and FSDP ask for."""
    where = f"file://{tmp_path / 'group'}"
    distributed.init_process_group("gloo", init_method=where, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def sharded(model: nn.Module) -> nn.Module:
    return FullyShardedDataParallel(model, use_orig_params=True, device_id=torch.device("cpu"))


def within(model: nn.Sequential) -> nn.Module:
    model[0], model[2] = DataParallel(model[0]), compiled(model[2])
    return model


def compiled(model: nn.Module) -> nn.Module:
    wrapper = torch.compile(model)
    assert isinstance(wrapper, nn.Module)
    return wrapper


WRAPPED: list[Callable[[nn.Sequential], nn.Module]] = [
    compiled,
    DataParallel,
    DistributedDataParallel,
    sharded,
    within,
    lambda model: DistributedDataParallel(compiled(model)),
]


@pytest.mark.usefixtures("group")
@pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")  # of torch.compile itself
@pytest.mark.filterwarnings("ignore:FSDP is switching:UserWarning")
@pytest.mark.filterwarnings("ignore:When using ``NO_SHARD``:UserWarning")
@pytest.mark.parametrize("wrapped", WRAPPED)
def test_wrapped_model(wrapped: Callable[[nn.Sequential], nn.Module]) -> None:
    """A wrapper on either side changes neither names nor function."""
    old, new = net(4), net(6)
    x = torch.randn(7, 3)
    assert list(suture.trace(subject(wrapped(net(4)))).parameters) == NAMES
    before = old(x)
    assert suture.transfer(subject(wrapped(old)), subject(new)).exact
    torch.testing.assert_close(new(x), before)
    grown = net(9)
    assert suture.transfer(subject(new), subject(wrapped(grown))).exact
    with torch.compiler.set_stance("force_eager"):
        torch.testing.assert_close(grown(x), before)


def test_call_of_a_wrapped_model() -> None:
    """A `call` gets the model as it was given, wrapper and all."""

    def call(model: nn.Module, x: Tensor) -> Tensor:
        inner = model.module
        assert isinstance(inner, nn.Module)
        return torch.relu(inner(x))

    one, other = (
        suture.Subject(DataParallel(net(width)), (torch.randn(5, 3),), call=call)
        for width in (4, 6)
    )
    plan = suture.transfer(one, other)
    assert plan.exact
    assert [tensor.target.name for tensor in plan.tensors] == NAMES


@pytest.mark.usefixtures("group")
def test_parameters_on_several_devices() -> None:
    """FSDP's second form cuts parameters up: it says what to do instead."""
    model = net(4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fully_shard(model)
    with pytest.raises(TraceError) as caught:
        suture.trace(subject(model))
    assert str(caught.value) == (
        "Parameters lie on several devices.\n"
        "  sharded  0.weight\n  sharded  0.bias\n  sharded  2.weight\n  sharded  2.bias\n\n"
        "hint: trace the model before it is sharded; apply the plan to full state dicts"
    )


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod."])
def test_state_dict_saved_under_a_wrapper(prefix: str) -> None:
    """A checkpoint's names are seen through, and the new state keeps its own."""
    old, new = net(4), net(6)
    plan = suture.plan(suture.trace(subject(old)), suture.trace(subject(new)))
    wrapped = {prefix + name: tensor for name, tensor in old.state_dict().items()}
    state = suture.apply(plan, wrapped, new.state_dict())
    again = suture.apply(
        plan, old.state_dict(), {prefix + name: t for name, t in new.state_dict().items()}
    )
    assert list(state) == NAMES
    assert list(again) == [prefix + name for name in NAMES]
    for name in NAMES:
        torch.testing.assert_close(again[prefix + name], state[name])
    new.load_state_dict(state)
    x = torch.randn(7, 3)
    torch.testing.assert_close(new(x), old(x))


class Lightning(nn.Module):
    """What a Lightning module looks like: the net under `model`."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input: Tensor) -> Tensor:
        out: Tensor = self.model(input)
        return out


def test_lightning_module_and_its_net() -> None:
    """A net pairs with itself under Lightning's `model`, either way round."""
    old, new, last = net(4), net(6), net(9)
    x = torch.randn(7, 3)
    before = old(x)
    assert suture.transfer(subject(Lightning(old)), subject(new)).exact
    assert suture.transfer(subject(new), subject(Lightning(last))).exact
    torch.testing.assert_close(last(x), before)


def test_a_model_with_a_part_called_module() -> None:
    """What is known under a wrapper's word keeps it."""
    names = ["module.fc.weight", "head.weight"]
    assert list(plain_names(names, names).values()) == names
