"""Files of torch that hold themselves, or what is no plain tensor: refused, or as they were."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from suture._errors import FileError
from suture._files import Checkpoint, carry_file, open_checkpoint
from widened import ZEROS, layers, widened

PLAN = widened(layers(), fill=ZEROS)


def weights(seed: int = 0) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in layers(seed).items()}


def opened(tmp_path: Path, whole: object, **how: Any) -> Checkpoint:
    torch.save(whole, tmp_path / "old", **how)
    return open_checkpoint(tmp_path / "old")


def refused(tmp_path: Path, whole: object, **how: Any) -> str:
    with pytest.raises(FileError) as caught:
        opened(tmp_path, whole, **how)
    return str(caught.value).replace(f"{tmp_path}/", "")


def carried(tmp_path: Path, whole: object) -> Any:
    carry_file(PLAN, opened(tmp_path, whole), tmp_path / "new")
    open_checkpoint(tmp_path / "new")
    return torch.load(tmp_path / "new", weights_only=True)


def same(found: Mapping[str, torch.Tensor]) -> bool:
    """Say whether weights are the old ones with a row of zeros."""
    return all(
        torch.equal(found[name][:-1], old) and not found[name][-1:].any()
        for name, old in weights().items()
    )


def pickled(tmp_path: Path, content: bytes) -> Path:
    """Write what nobody's `torch.save` does: any pickle in an archive of torch."""
    with zipfile.ZipFile(tmp_path / "old", "w") as archive:
        archive.writestr("a/data.pkl", content)
        archive.writestr("a/version", "3\n")
    return tmp_path / "old"


def within_a_list() -> object:
    whole: list[Any] = [weights()]
    whole.append(whole)
    return whole


def within_a_mapping() -> object:
    whole: dict[str, Any] = {"model": weights()}
    whole["again"] = [{"inner": whole}]
    return whole


def within_an_optimizer() -> object:
    state: dict[str, Any] = {"state": {}, "param_groups": []}
    state["param_groups"].append({"params": [], "all": state})
    return {"model": weights(), "optimizer": state}


@pytest.mark.parametrize("whole", [within_a_list, within_a_mapping, within_an_optimizer])
@pytest.mark.parametrize("archive", [True, False])
def test_a_container_that_holds_itself(
    tmp_path: Path, whole: Callable[[], object], archive: bool
) -> None:
    """Of its two places one would keep the old weights: it is refused."""
    found = refused(tmp_path, whole(), _use_new_zipfile_serialization=archive)
    assert found == "old holds a container that holds itself."


def nested(depth: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(depth - 1):
        inner = [inner]
    return inner


def test_containers_in_containers(tmp_path: Path) -> None:
    """Those of a real file are read; a thousand are no reason to give up with a traceback."""
    found = carried(tmp_path, {"model": weights(), "deep": nested(99)})
    assert same(found["model"])
    assert found["deep"] == nested(99)
    assert refused(tmp_path, {"model": weights(), "deep": nested(100)}) == (
        "old is nested too deeply.\n  containers lie 101 deep; 100 are read at most"
    )
    lists = b"\x80\x02" + b"]" * 5000 + b"a" * 4999 + b"."
    with pytest.raises(FileError, match="containers lie 5000 deep"):
        open_checkpoint(pickled(tmp_path, lists))


def test_a_list_twice_in_a_list_twice_in_a_list(tmp_path: Path) -> None:
    """A few bytes may stand for more places than anybody can look at."""
    twice = [b"]q%c(h%ch%ce" % (n + 1, n, n) for n in range(60)]
    path = pickled(tmp_path, b"\x80\x02]q\0" + b"".join(twice) + b".")
    with pytest.raises(FileError) as caught:
        open_checkpoint(path)
    assert str(caught.value) == (
        f"{path} holds things in more than 10,000,000 further places.\n\n"
        "hint: save it again without what it holds so often"
    )


def test_weights_in_two_places(tmp_path: Path) -> None:
    """Each of them gets the new ones."""
    held = weights()
    found = carried(tmp_path, {"model": held, "last": [{"ema": held}], "same": [(1,)] * 3})
    assert same(found["model"])
    assert same(found["last"][0]["ema"])
    assert found["same"] == [(1,)] * 3


STRANGE = {
    "no bytes": (
        {"w": torch.empty(3, 1, device="meta")},
        "Tensor of torch.float32, torch.strided, on meta",
    ),
    "bits that only torch counts": (
        {"w": torch.empty(2, dtype=torch.float4_e2m1fn_x2)},
        "Tensor of torch.float4_e2m1fn_x2, torch.strided",
    ),
    "a shape that no array has": (
        {"w": torch.empty(0, 2**40, 2**22)},
        "Tensor of torch.float32, torch.strided, [0, 1099511627776, 4194304]",
    ),
    "one beside another": (
        {"model": weights(), "more": torch.eye(3).to_sparse()},
        "Tensor of torch.float32, torch.sparse_coo",
    ),
    "one in a set": (
        {"model": weights(), "more": {torch.eye(3).to_sparse()}},
        "Tensor of torch.float32, torch.sparse_coo",
    ),
}


@pytest.mark.parametrize("what", STRANGE)
def test_tensors_that_are_no_plain_numbers(tmp_path: Path, what: str) -> None:
    """They are refused, wherever they stand."""
    whole, text = STRANGE[what]
    assert refused(tmp_path, whole) == (
        f"old holds tensors that are not plain numbers.\n  tensor   {text}"
    )


def test_a_tensor_of_an_agent_that_is_no_plain_number(tmp_path: Path) -> None:
    """It is refused in an archive of Stable-Baselines3, too."""
    torch.save({"w": torch.empty(3, device="meta")}, tmp_path / "policy")
    with zipfile.ZipFile(tmp_path / "old", "w") as archive:
        archive.writestr("data", "{}")
        archive.write(tmp_path / "policy", "policy.pth")
    with pytest.raises(FileError, match=r"of torch\.float32, torch\.strided, on meta"):
        open_checkpoint(tmp_path / "old")


def test_names_with_halves_of_characters(tmp_path: Path) -> None:
    """Pickles can hold them, and nothing that shows or writes names can."""
    for whole in ({"w\ud800": torch.ones(2)}, {"model": weights(), "more": [{"w\ud800": 1}]}):
        assert refused(tmp_path, whole) == (
            "old holds names with halves of characters.\n"
            r"  name     'w\ud800'"
        )


def test_two_things_of_one_keypath(tmp_path: Path) -> None:
    """One of them would be taken for the other, and keep the old weights."""
    whole = {"model": weights(), "ema.last": weights(), "ema": {"last": weights()}}
    assert refused(tmp_path, whole) == (
        "old holds several things under one keypath.\n  keypath  ema.last"
    )


def test_weights_that_learn(tmp_path: Path) -> None:
    """They are read, and what lies beside still learns."""
    held = {name: nn.Parameter(tensor) for name, tensor in weights().items()}
    beside = torch.ones(2, requires_grad=True)
    found = carried(tmp_path, {"model": held, "beside": beside})
    assert same(found["model"])
    assert found["beside"].requires_grad


def test_weights_that_share_memory(tmp_path: Path) -> None:
    """Views of one tensor, in another order and with entries that repeat, are new tensors."""
    room = torch.arange(12.0)
    held = {"fc.weight": room.view(3, 4).T, "fc.bias": room[3:4].expand(4)}
    found = carried(tmp_path, held)
    assert torch.equal(found["fc.weight"][:4], held["fc.weight"])
    assert found["fc.bias"].tolist() == [3, 3, 3, 3, 0]


def test_tensors_in_odd_places(tmp_path: Path) -> None:
    """Those in sets, of attributes of tensors, and storages by themselves stay what they were."""
    named = torch.arange(3.0)
    named.note = torch.arange(5.0)  # type: ignore[attr-defined]
    state = weights()
    whole = {
        "set": {torch.arange(2.0)},
        "named": named,
        "model": state,
        "storage": torch.arange(7, dtype=torch.uint8).untyped_storage(),
        "conjugate": torch.tensor([1 + 2j]).conj(),
    }
    found = carried(tmp_path, whole)
    assert same(found["model"])
    assert [tensor.tolist() for tensor in found["set"]] == [[0, 1]]
    assert found["named"].note.tolist() == [0, 1, 2, 3, 4]
    assert found["storage"]._untyped_storage.tolist() == [*range(7)]
    assert found["conjugate"].tolist() == [1 - 2j]


things = st.recursive(
    st.none() | st.integers(0, 3) | st.builds(weights) | st.builds(lambda: torch.arange(3.0)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "a.b", "\ud800", 0]), inner, max_size=3)
        | st.tuples(inner, inner)
        | st.sets(st.integers(0, 3), max_size=2)
    ),
    max_leaves=8,
)


@st.composite
def wholes(draw: st.DrawFn) -> Any:
    """Draw what a file may hold, parts of which stand in several places, within themselves too."""
    parts = draw(st.lists(things, min_size=1, max_size=4))
    whole: Any = {"model": weights(), "more": parts}
    boxes = [part for part in parts if isinstance(part, list)]
    for box in boxes:
        if draw(st.booleans()):
            box.append(draw(st.sampled_from([whole, *boxes])))
    return whole


@given(wholes())
@settings(max_examples=100)
def test_whatever_a_file_holds(
    tmp_path_factory: pytest.TempPathFactory, whole: dict[str, Any]
) -> None:
    """It is refused, or its weights are new in every place and all else is as it was."""
    folder = tmp_path_factory.mktemp("any")
    try:
        found = carried(folder, whole)
    except FileError:
        return
    assert replaced(whole, found)


def replaced(old: Any, new: Any) -> bool:
    if isinstance(old, dict) and old.keys() == layers().keys():
        return same(new)
    if isinstance(old, torch.Tensor):
        return torch.equal(old, new)
    if isinstance(old, dict):
        return old.keys() == new.keys() and all(replaced(old[key], new[key]) for key in old)
    if isinstance(old, list | tuple):
        pairs = zip(old, new, strict=True)
        return type(old) is type(new) and all(replaced(*pair) for pair in pairs)
    return bool(old == new)
