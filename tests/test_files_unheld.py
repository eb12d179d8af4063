"""Plans of what no file holds: refused before anything is written, with the reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from commands import Suture
from suture._apply import apply
from suture._arrays import dtype_name
from suture._errors import FileError
from suture._files import Format, carry_file, open_checkpoint
from suture._plan import Block, Plan, Tensor, TensorPlan, Value
from widened import ZEROS, layers, widened

OLD = layers()
PLAN = widened(OLD, fill=ZEROS)


def more(*tensors: Tensor, tied: tuple[str, ...] = ()) -> Plan:
    """Plan further tensors of zeros."""
    new = tuple(
        TensorPlan(tensor, None, "parameter", (zeros(tensor.shape),), tied=tied)
        for tensor in tensors
    )
    return replace(PLAN, tensors=(*PLAN.tensors, *new))


def zeros(shape: tuple[int, ...]) -> Block:
    return Block(tuple(((0, size),) for size in shape), Value(0.0))


def refused(plan: Plan, tmp_path: Path, kind: Format) -> str:
    """Carry; give the error without the folder, and see that nothing is left."""
    save_file(OLD, tmp_path / "old")
    with pytest.raises(FileError) as caught:
        carry_file(plan, open_checkpoint(tmp_path / "old"), tmp_path / "new", format=kind)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    return str(caught.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize("kind", ["safetensors", "torch", "npz"])
def test_dtypes_that_no_file_holds(tmp_path: Path, kind: Format) -> None:
    """Those of numpy's or torch's that only memory has are listed."""
    plan = more(Tensor("long", (3,), "f128"), Tensor("half", (2, 1), "c32"))
    assert refused(plan, tmp_path, kind) == (
        f"new cannot be written: it would hold what no {kind} file can.\n"
        "  tensor   'long' is f128[3]\n  tensor   'half' is c32[2,1]"
    )


def test_dtypes_that_memory_holds(tmp_path: Path) -> None:
    """A plan of them is carried out on arrays as ever."""
    tensor = Tensor("long", (3,), dtype_name(np.dtype(np.longdouble).name))
    plan = Plan("a1", "b2", (TensorPlan(tensor, None, "parameter", (zeros((3,)),)),))
    found = apply(Plan.from_json(plan.to_json()), {}, {"long": np.ones(3, np.longdouble)})
    assert found["long"].dtype == np.longdouble
    assert not found["long"].any()


@pytest.mark.parametrize("kind", ["safetensors", "torch", "npz"])
def test_names_of_half_a_character(tmp_path: Path, kind: Format) -> None:
    """A plan in memory may have them, of tied tensors too; UTF-8 has not."""
    plan = more(Tensor("w\ud800", (3,), "f32"), tied=("v\udcff",))
    assert refused(plan, tmp_path, kind) == (
        f"new cannot be written: it would hold what no {kind} file can.\n"
        r"  tensor   'w\ud800' holds half a character"
        "\n"
        r"  tensor   'v\udcff' holds half a character"
    )


NAMES: dict[str, tuple[Format, str]] = {
    "__metadata__": ("safetensors", "'__metadata__' is what a header calls its texts"),
    "w\0v": ("npz", r"'w\x00v' holds a zero"),
    "é" * 40_000: ("npz", f"{'é' * 80!r}... is a name of 80000 bytes, of which 65531 fit"),
}


@pytest.mark.parametrize("name", NAMES, ids=["a header's", "a zero", "a long one"])
def test_names_that_a_format_has_not(name: str, tmp_path: Path) -> None:
    """They would be cut off, or taken for something else."""
    kind, text = NAMES[name]
    sentence = f"new cannot be written: it would hold what no {kind} file can."
    assert (
        refused(more(Tensor(name, (3,), "f32")), tmp_path, kind) == f"{sentence}\n  tensor   {text}"
    )


def test_any_other_name(tmp_path: Path) -> None:
    """What one format cannot hold another can."""
    save_file(OLD, tmp_path / "old")
    for name, (kind, _) in NAMES.items():
        other: Format = "torch" if kind == "safetensors" else "safetensors"
        plan = more(Tensor(name, (3,), "f32"))
        old = open_checkpoint(tmp_path / "old")
        carry_file(plan, old, tmp_path / "new", format=other, force=True)
        assert name in open_checkpoint(tmp_path / "new").arrays


def test_a_plan_of_them_on_the_command_line(run: Suture, tmp_path: Path) -> None:
    """It ends with the error, and no traceback."""
    save_file(OLD, tmp_path / "old")
    Path("plan.json").write_text(more(Tensor("long", (3, 1), "f128")).to_json())
    result = run("apply", "plan.json", "old", "-o", "new")
    assert result.exit_code == 2
    assert result.stderr == (
        "FileError: new cannot be written: it would hold what no safetensors file can.\n"
        "  tensor   'long' is f128[3,1]\n"
    )
