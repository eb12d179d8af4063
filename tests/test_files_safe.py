"""What goes wrong with files: a clear error, the old file as it was, and nothing half written."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from disks import largest_file, masked
from suture._errors import FileError, PlanError
from suture._files import Format, carry_file, open_checkpoint
from suture._files._atomic import whole_file, whole_folder
from suture._files._outputs import refuse_folder
from widened import ZEROS, State, layers, some, widened

OLD = layers()
PLAN = widened(OLD, fill=ZEROS)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Write the trained weights."""
    path = tmp_path / "old.safetensors"
    save_file(OLD, path, {"format": "pt", "epoch": "7"})
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_a_new_file_says_of_itself(old: Path, tmp_path: Path) -> None:
    """Its texts are those of the old one; the record names the plan and the source."""
    written = carry_file(PLAN, open_checkpoint(old), tmp_path / "new")
    found = open_checkpoint(tmp_path / "new")
    said = f'{{"plan": "{written.plan}", "source": "{written.source}"}}'
    assert found.metadata == {"format": "pt", "epoch": "7", "suture": said}
    digest = subprocess.run(["sha256sum", old], capture_output=True, text=True, check=True).stdout
    assert written.source == digest.split()[0]
    assert names(tmp_path) == ["new", "old.safetensors"]


def test_a_plan_that_was_applied_already(old: Path, tmp_path: Path) -> None:
    """What a plan made is not carried by it again."""
    written = carry_file(PLAN, open_checkpoint(old), tmp_path / "new")
    with pytest.raises(PlanError) as caught:
        carry_file(PLAN, open_checkpoint(tmp_path / "new"), tmp_path / "newer")
    assert str(caught.value) == (
        f"{tmp_path}/new was made by this plan already.\n"
        f"  plan     {written.plan[:12]}\n  source   {written.source[:12]}\n\n"
        "hint: give the weights that the plan was made for"
    )
    assert names(tmp_path) == ["new", "old.safetensors"]


MISFITS = """\
The plan was not made for 3 of the arrays.
  source   fc.weight is bf16[4,3]; the plan was made for f32[4,3]
  source   fc.bias is missing; the plan reads f32[4]
  source   head is unexpected

hint: make a plan for these two models"""


def test_weights_of_another_model(tmp_path: Path) -> None:
    """Missing, further and differing tensors are listed at once, before anything is written."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file as save

    save({"fc.weight": torch.zeros(4, 3).bfloat16(), "head": torch.zeros(2)}, tmp_path / "old")
    with pytest.raises(PlanError) as caught:
        carry_file(PLAN, open_checkpoint(tmp_path / "old"), tmp_path / "new")
    assert str(caught.value) == MISFITS
    assert names(tmp_path) == ["old"]


def test_own_entries_without_a_fresh_model(old: Path, tmp_path: Path) -> None:
    """What a plan keeps of the target's initialisation must be given."""
    with pytest.raises(
        PlanError, match=r"target   fc.weight is missing; the plan makes f32\[5,3\]"
    ):
        carry_file(widened(OLD), open_checkpoint(old), tmp_path / "new")


def test_an_output_that_is_there(old: Path, tmp_path: Path) -> None:
    """It is overwritten only if that is said."""
    (tmp_path / "new").write_text("dear to somebody")
    with pytest.raises(FileError, match="exists already"):
        carry_file(PLAN, open_checkpoint(old), tmp_path / "new")
    assert (tmp_path / "new").read_text() == "dear to somebody"
    carry_file(PLAN, open_checkpoint(old), tmp_path / "new", force=True)
    assert load_file(tmp_path / "new").keys() == OLD.keys()


@pytest.mark.parametrize("link", [os.link, os.symlink], ids=["hard", "symbolic"])
def test_an_output_that_is_the_source(old: Path, tmp_path: Path, link: object) -> None:
    """The old file stays, whatever else it is called."""
    assert callable(link)
    link(old, tmp_path / "same")
    for path in (old, tmp_path / "same"):
        with pytest.raises(FileError, match="is what would be read"):
            carry_file(PLAN, open_checkpoint(old), path, force=True)


def test_an_output_without_a_folder(old: Path, tmp_path: Path) -> None:
    """It is refused before any work is done."""
    with pytest.raises(FileError, match="There is no folder"):
        carry_file(PLAN, open_checkpoint(old), tmp_path / "nowhere" / "new")


def test_weights_that_are_no_numbers(old: Path, tmp_path: Path) -> None:
    """They are refused by name, and written where that is meant."""
    broken: State = {**OLD, "fc.bias": np.array([1, np.nan, -np.inf, 0], "f4")}
    save_file(broken, tmp_path / "broken")
    with pytest.raises(FileError) as caught:
        carry_file(PLAN, open_checkpoint(tmp_path / "broken"), tmp_path / "new")
    assert str(caught.value) == (
        "The new weights would hold entries that are not numbers.\n  tensor   fc.bias\n\n"
        "hint: say that this is meant: --allow-nan, or allow_nan=True"
    )
    assert names(tmp_path) == ["broken", "old.safetensors"]
    carry_file(PLAN, open_checkpoint(tmp_path / "broken"), tmp_path / "new", allow_nan=True)
    np.testing.assert_array_equal(load_file(tmp_path / "new")["fc.bias"][:4], broken["fc.bias"])


def test_a_disk_that_is_full_in_the_middle(tmp_path: Path) -> None:
    """The reason is told, and no part is left."""
    large = {"w": some((300, 1000))}
    save_file(large, tmp_path / "old")
    with (
        largest_file(600_000),
        pytest.raises(FileError, match=r"new cannot be written.\n  because  "),
    ):
        carry_file(widened(large, fill=ZEROS), open_checkpoint(tmp_path / "old"), tmp_path / "new")
    assert names(tmp_path) == ["old"]


@pytest.mark.parametrize("kind", ["safetensors", "torch", "npz"])
@pytest.mark.parametrize("room", [0, 200, 1500])
def test_a_disk_that_is_nearly_full(kind: Format, room: int, tmp_path: Path) -> None:
    """However early it ends, and whatever is written, no part is left."""
    large = {"w": some((30, 50))}
    save_file(large, tmp_path / "old")
    plan = widened(large, fill=ZEROS)
    with (
        largest_file(room),
        pytest.raises(FileError, match=r"new cannot be written\.\n  because  "),
    ):
        carry_file(plan, open_checkpoint(tmp_path / "old"), tmp_path / "new", format=kind)
    assert names(tmp_path) == ["old"]


def test_two_runs_that_write_the_same(old: Path, tmp_path: Path) -> None:
    """The second is refused and touches nothing of the first."""
    with whole_file(tmp_path / "new") as part:
        part.write_text("in the making")
        with pytest.raises(FileError, match=r"Another run is writing \.new\.suture-part now"):
            carry_file(PLAN, open_checkpoint(old), tmp_path / "new")
        assert part.read_text() == "in the making"
    assert (tmp_path / "new").read_text() == "in the making"


def test_a_user_who_stops_it(old: Path, tmp_path: Path) -> None:
    """Nothing is left where a run is interrupted."""

    def stop(written: int, total: int) -> None:
        assert 0 < written <= total == 80
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_file(PLAN, open_checkpoint(old), tmp_path / "new", progress=stop)
    assert names(tmp_path) == ["old.safetensors"]


def test_a_disk_without_room(old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told before anything is written."""
    monkeypatch.setattr("suture._files._outputs.free", lambda _: 30)
    with pytest.raises(FileError) as caught:
        carry_file(PLAN, open_checkpoint(old), tmp_path / "new")
    assert str(caught.value) == (
        "The disk has no room for new.\n  needed   80 bytes\n  free     30 bytes"
    )


def test_what_a_killed_run_left_makes_room(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is taken away, so that a disk that it fills has room for the next run."""
    monkeypatch.setattr("suture._files._outputs.free", lambda _: 30)
    (tmp_path / ".new.suture-part").mkdir()
    (tmp_path / ".new.suture-part" / "half").write_bytes(b"." * 50)
    carry_file(PLAN, open_checkpoint(old), tmp_path / "new")
    assert names(tmp_path) == ["new", "old.safetensors"]


def test_what_a_killed_run_left_of_another_kind(old: Path, tmp_path: Path) -> None:
    """A folder where a file is to be written is taken away, and a file where a folder is."""
    part = tmp_path / ".new.suture-part"
    part.mkdir()
    (part / "half").write_text("")
    with whole_file(tmp_path / "new") as file:
        file.write_text("all")
    (tmp_path / "new").unlink()
    part.write_text("half")
    with whole_folder(tmp_path / "new") as folder:
        (folder / "all").write_text("all")
    assert names(tmp_path) == ["new", "old.safetensors"]
    assert names(tmp_path / "new") == ["all"]


def test_runs_of_another_kind_that_write_the_same(tmp_path: Path) -> None:
    """What a live run writes is not taken away, be it a file or a folder."""
    for first, second in ((whole_file, whole_folder), (whole_folder, whole_file)):
        with first(tmp_path / "new") as part:
            with pytest.raises(FileError) as caught, second(tmp_path / "new"):
                pass
            assert str(caught.value) == (
                "Another run is writing .new.suture-part now.\n\nhint: wait until it ends"
            )
            assert part.exists()
        assert names(tmp_path) == ["new"]
        if (tmp_path / "new").is_file():
            (tmp_path / "new").unlink()


def test_who_may_read_a_new_file(old: Path, tmp_path: Path) -> None:
    """Those who may read the old one, whoever may read what is overwritten."""
    new = tmp_path / "new"
    for mode in (0o600, 0o644, 0o755, 0o400):
        old.chmod(mode)
        for before in (0o666, 0o600):
            new.touch()
            new.chmod(before)
            with masked(0o022):
                carry_file(PLAN, open_checkpoint(old), new, force=True)
            assert new.stat().st_mode & 0o777 == mode & 0o666 | 0o600
    with masked(0o077):
        carry_file(PLAN, open_checkpoint(old), new, force=True)
    assert new.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", ["safetensors", "torch", "npz"])
def test_a_private_file_is_private_all_the_while(kind: Format, old: Path, tmp_path: Path) -> None:
    """Nobody else reads the part that is written, in whichever format."""
    old.chmod(0o600)
    modes = set[int]()

    def look(written: int, total: int) -> None:
        modes.add((tmp_path / ".new.suture-part").stat().st_mode & 0o777)

    with masked(0o022):
        carry_file(PLAN, open_checkpoint(old), tmp_path / "new", format=kind, progress=look)
    assert modes == {0o600} == {(tmp_path / "new").stat().st_mode & 0o777}


def test_an_output_around_the_source(tmp_path: Path) -> None:
    """A folder that holds what is read, or other folders, is never what is overwritten."""
    inner = tmp_path / "models" / "old"
    inner.mkdir(parents=True)
    for path, told in ((inner.parent, "holds what would be read"), (tmp_path, "holds")):
        with pytest.raises(FileError, match=told):
            refuse_folder(path, (inner,), force=True)
    other = tmp_path / "elsewhere"
    with pytest.raises(FileError, match="holds folders, which no checkpoint does"):
        refuse_folder(inner.parent, (other,), force=True)


def test_a_new_file_is_nobody_s_program(tmp_path: Path) -> None:
    """It is read and written, not run."""
    with whole_file(tmp_path / "new") as part:
        part.write_bytes(b"all")
    assert (tmp_path / "new").stat().st_mode & 0o111 == 0
