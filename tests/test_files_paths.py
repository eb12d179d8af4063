"""Paths that lead to no file: a clear error wherever one is given, and nothing written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from commands import Suture
from suture._errors import FileError
from suture._files import carry_file, open_checkpoint
from widened import ZEROS, layers, widened

PLAN = widened(layers(), fill=ZEROS)
LONG = "x" * 300
REASONS = {LONG: "File name too long", "circle": "Too many levels of symbolic links"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work where an old file, a plan and a link that leads to itself lie."""
    monkeypatch.chdir(tmp_path)
    save_file(layers(), "old")
    Path("plan.json").write_text(PLAN.to_json())
    Path("circle").symlink_to("circle")


def names() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


@pytest.mark.parametrize("name", [LONG, f"{LONG}/new", f"{LONG}/", "circle", "circle/new"])
def test_a_path_that_cannot_be_followed(name: str) -> None:
    """The system's reason is told, of what is read and of what is written."""
    because = f"because  {REASONS[name.partition('/')[0]]}"
    with pytest.raises(FileError) as caught:
        open_checkpoint(name)
    assert str(caught.value) == f"{Path(name)} cannot be read.\n  {because}"
    for force in (False, True):
        with pytest.raises(FileError) as caught:
            carry_file(PLAN, open_checkpoint("old"), name, force=force)
        assert str(caught.value) == f"{Path(name)} cannot be written.\n  {because}"
    assert names() == ["circle", "old", "plan.json"]


def test_a_zero_in_a_name() -> None:
    """It is spelled: a terminal would not show it."""
    with pytest.raises(FileError) as caught:
        open_checkpoint("old\0")
    assert str(caught.value) == "'old\\x00' cannot be read.\n  because  a name holds a zero"
    with pytest.raises(FileError) as caught:
        carry_file(PLAN, open_checkpoint("old"), "a\0b/new", force=True)
    assert str(caught.value) == "'a\\x00b/new' cannot be written.\n  because  a name holds a zero"


def test_a_name_that_is_nearly_too_long() -> None:
    """What is written beside has a longer one: that is told before any work is done."""
    with pytest.raises(FileError) as caught:
        carry_file(PLAN, open_checkpoint("old"), "x" * 250)
    part = f".{'x' * 250}.suture-part"
    assert str(caught.value) == f"{part} cannot be written.\n  because  File name too long"
    carry_file(PLAN, open_checkpoint("old"), "x" * 242)
    assert names() == ["circle", "old", "plan.json", "x" * 242]


@pytest.mark.parametrize("odd", REASONS, ids=["long", "circle"])
@pytest.mark.parametrize(
    "words",
    [
        ("show", "ODD"),
        ("apply", "ODD", "old", "-o", "new"),
        ("apply", "plan.json", "ODD", "-o", "new"),
        ("apply", "plan.json", "old", "-o", "ODD"),
        ("apply", "plan.json", "old", "-o", "new", "--fresh", "ODD"),
        ("apply", "plan.json", "old", "-o", "ODD", "--force", "--json"),
        ("plan", "models.py:old", "models.py:new", "-o", "ODD"),
        ("plan", "--source-checkpoint", "ODD", "models.py:new"),
        ("explain", "ODD/models.py:new", "0.weight"),
    ],
    ids=" ".join,
)
def test_a_command_with_such_a_path(run: Suture, odd: str, words: tuple[str, ...]) -> None:
    """It ends with the error; no traceback is an answer."""
    result = run(*(word.replace("ODD", odd) for word in words))
    assert result.exit_code == 2
    *_, error, because = result.stderr.splitlines()
    assert error.startswith((f"FileError: {odd} cannot be ", f"FileError: {odd}/models.py cannot"))
    assert because == f"  because  {REASONS[odd]}"
    assert "Traceback" not in result.stderr
    assert not Path("new").exists()


# --- what is neither a file nor a folder ----------------------------------------


@pytest.fixture
def pipe() -> Path:
    """Make a pipe, which blocks whoever opens it, and a link that leads to it."""
    os.mkfifo("pipe")
    Path("link").symlink_to("pipe")
    return Path("pipe")


@pytest.mark.usefixtures("pipe")
@pytest.mark.parametrize("name", ["pipe", "link"])
def test_a_pipe(name: str) -> None:
    """It is refused before it is opened, to read or to write, and stays what it is."""
    because = "because  it is neither a file nor a folder"
    with pytest.raises(FileError) as caught:
        open_checkpoint(name)
    assert str(caught.value) == f"{name} cannot be read.\n  {because}"
    for force in (False, True):
        with pytest.raises(FileError) as caught:
            carry_file(PLAN, open_checkpoint("old"), name, force=force)
        assert str(caught.value) == f"{name} cannot be written.\n  {because}"
    assert Path(name).is_fifo()
    assert names() == ["circle", "link", "old", "pipe", "plan.json"]


def test_a_pipe_instead_of_an_index(tmp_path: Path) -> None:
    """A folder that holds one is a folder without an index."""
    (tmp_path / "held").mkdir()
    os.mkfifo(tmp_path / "held" / "model.safetensors.index.json")
    with pytest.raises(FileError, match="holds no weights"):
        open_checkpoint(tmp_path / "held")


def test_links_to_files_and_folders(tmp_path: Path) -> None:
    """They are read and written as what they lead to."""
    (tmp_path / "folder").mkdir()
    save_file(layers(), "folder/model.safetensors")
    for name, place in (("to_old", "old"), ("to_folder", "folder")):
        Path(name).symlink_to(place)
        assert open_checkpoint(name).tensors == open_checkpoint("old").tensors
    carry_file(PLAN, open_checkpoint("to_old"), "to_folder/new")
    assert Path("folder/new").is_file()


@pytest.mark.usefixtures("pipe")
@pytest.mark.parametrize(
    ("words", "done"),
    [
        (("show", "pipe"), "read"),
        (("apply", "pipe", "old", "-o", "new"), "read"),
        (("apply", "plan.json", "pipe", "-o", "new"), "read"),
        (("apply", "plan.json", "old", "-o", "new", "--fresh", "pipe"), "read"),
        (("apply", "plan.json", "old", "-o", "pipe", "--force"), "written"),
        (("plan", "models.py:old", "models.py:new", "-o", "pipe", "--force"), "written"),
        (("plan", "--source-checkpoint", "pipe", "models.py:new"), "read"),
        (("explain", "./pipe:old", "0.weight"), "read"),
    ],
    ids=" ".join,
)
def test_a_command_with_a_pipe(run: Suture, words: tuple[str, ...], done: str) -> None:
    """It ends with the error; it neither waits for the other end nor takes the pipe away."""
    result = run(*words)
    assert result.exit_code == 2
    assert result.stderr.endswith(
        f"FileError: pipe cannot be {done}.\n  because  it is neither a file nor a folder\n"
    )
    assert Path("pipe").is_fifo()
    assert not Path("new").exists()
