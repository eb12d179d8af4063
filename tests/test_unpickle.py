"""Pickles read without trust: what numpy, gymnasium and VecNormalize write is read, no more."""

from __future__ import annotations

import pickle
import sys
from collections import OrderedDict
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import strategies as st
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecNormalize

from laws import law
from refusals import error, refused
from suture import UnpickleError
from suture._numpy_pickles import NUMPY
from suture._sb3._admitted import NORMALIZE, SPACES
from suture._unpickle import Admitted, Fill, load
from worlds_of_agents import Rooms, normalised, vector

FEATURES, ACTIONS = ["x", "v", "angle"], ["push x", "push v"]

PROTOCOLS = (4, 5)
"""Stable-Baselines3 writes 4, Python's own; earlier ones need more names."""


def again(value: object, admitted: Admitted = NUMPY, protocol: int = 4) -> Any:
    return load(pickle.dumps(value, protocol), admitted)


def same(one: object, other: object) -> bool:
    """Whether two values print alike and have the same types."""
    return type(one) is type(other) and repr(one) == repr(other)


# What is read


ARRAYS = {
    "doubles": np.arange(6.0).reshape(2, 3),
    "columns first": np.asfortranarray(np.arange(6, dtype="i4").reshape(2, 3)),
    "a view": np.arange(12.0)[::3],
    "big endian": np.arange(3, dtype=">f4"),
    "bools": np.array([True, False]),
    "complex": np.array([1 + 2j]),
    "texts": np.array(["ab", "c"]),
    "bytes": np.array([b"ab", b"c"]),
    "no entries": np.zeros((0, 3)),
    "one number": np.array(3.5),
    "objects": np.array([{"a": 1}, None], object),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(name: str, protocol: int) -> None:
    """They come back as numpy itself reads them, in a memory of their own."""
    found = again(ARRAYS[name], protocol=protocol)
    theirs = pickle.loads(pickle.dumps(ARRAYS[name], protocol))
    assert same(found, theirs)
    assert (found.dtype, found.flags.fnc) == (theirs.dtype, theirs.flags.fnc)
    assert found.flags.writeable


@pytest.mark.parametrize("kind", ["f4", "i8", "u1", "?", "c16", "U3", "S2"])
def test_single_numbers(kind: str) -> None:
    """Numbers of numpy's keep their dtype."""
    number = np.ones(1, kind)[0]
    assert same(again(number), number)
    assert again(number).dtype == number.dtype


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_generators(protocol: int) -> None:
    """They go on with the same numbers, and so do their children."""
    generator = np.random.default_rng(5)
    generator.random()
    found = again(generator, protocol=protocol)
    assert found.random() == generator.random()
    assert found.spawn(1)[0].random() == generator.spawn(1)[0].random()


def test_plain_values() -> None:
    """What Python has of itself needs no names; one dict that keeps its order does."""
    value = [1, 2.5, "a", b"b", None, True, (3,), {4}, frozenset({5}), {7: 8}]
    assert again(value, {}) == value
    assert again(OrderedDict(b=1, a=2)) == OrderedDict(b=1, a=2)


def test_what_stands_twice_is_one() -> None:
    """Two places that share an array share it afterwards."""
    array = np.ones(3)
    first, second = again([array, array])
    assert first is second


SPACE = {
    "box": spaces.Box(-1, np.array([1.0, 2.0], np.float32)),
    "dict": spaces.Dict(b=spaces.Discrete(4), a=spaces.Box(0, 255, (3, 4), np.uint8)),
    "several choices": spaces.MultiDiscrete([2, 3]),
    "bits": spaces.MultiBinary(3),
    "tuple": spaces.Tuple((spaces.Discrete(2), spaces.Text(4))),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", SPACE)
def test_spaces(name: str, protocol: int) -> None:
    """They are equal, and sample what the original goes on to sample."""
    SPACE[name].seed(3)
    found = again(SPACE[name], {**NUMPY, **SPACES}, protocol)
    assert found == SPACE[name]
    assert repr(found.sample()) == repr(SPACE[name].sample())


SETTINGS: dict[str, dict[str, Any]] = {
    "an array": {},
    "a dict": {"kind": Rooms, "norm_obs_keys": ["body"]},
    "returns only": {"norm_obs": False},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_file_of_vec_normalize(name: str, tmp_path: Path) -> None:
    """A file that Stable-Baselines3 wrote after a run gives what its own reading gives."""
    settings = dict(SETTINGS[name])
    kind = settings.pop("kind", None)
    venv = vector(FEATURES, ACTIONS, *([] if kind is None else [kind]))
    venv.seed(7)
    venv.action_space.seed(3)
    normalised(venv, **settings).save(str(tmp_path / "vec.pkl"))
    found: Any = load(tmp_path / "vec.pkl", NORMALIZE)
    with (tmp_path / "vec.pkl").open("rb") as file:
        theirs = pickle.load(file)
    assert type(found) is VecNormalize
    assert vars(found).keys() == vars(theirs).keys()
    plain = [key for key in vars(found) if "rms" not in key]
    assert all(repr(getattr(found, key)) == repr(getattr(theirs, key)) for key in plain)
    assert same(found.ret_rms.mean, theirs.ret_rms.mean)
    venv.reset()
    found.set_venv(venv)
    theirs.set_venv(venv)
    observed: Any = found.venv.reset()
    assert repr(found.normalize_obs(observed)) == repr(theirs.normalize_obs(observed))


def test_an_open_file(tmp_path: Path) -> None:
    """Bytes, a path or an open file: what is in them is the same."""
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"count": 3}))
    with (tmp_path / "a.pkl").open("rb") as file:
        assert load(file, {}) == load(tmp_path / "a.pkl", {}) == {"count": 3}


# What is refused


class Runs:
    """Pickled, it asks to call something with arguments."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


MARKER = Path("/tmp/suture-unpickled")

GADGETS: dict[str, bytes] = {
    "a shell": b"cos\nsystem\n(S'touch /tmp/suture-unpickled'\ntR.",
    "posix": b"cposix\nsystem\n(S'touch /tmp/suture-unpickled'\ntR.",
    "eval": b"cbuiltins\neval\n(S'1'\ntR.",
    "exec": b"cbuiltins\nexec\n(S''\ntR.",
    "getattr": b"cbuiltins\ngetattr\n(cnumpy\nndarray\nS'__class__'\ntR.",
    "python 2's name of eval": b"\x80\x02c__builtin__\neval\n(S'1'\ntR.",
    "a path with dots": b"\x80\x04\x8c\x02os\x8c\tpath.join\x93.",
    "dots behind what is admitted": b"\x80\x04\x8c\x05numpy\x8c\x0fndarray.__new__\x93.",
    "a module as a name": b"\x80\x04\x8c\x05numpy\x8c\x0atesting.os\x93.",
    "f2py": b"cnumpy.f2py.crackfortran\nmyeval\n(S'1'\ntR.",
    "runstring": b"cnumpy.testing._private.utils\nrunstring\n(S''\n}tR.",
    "load": b"cnumpy\nload\n(S'x'\ntR.",
    "loads": b"c_pickle\nloads\n(S'x'\ntR.",
    "partial": b"cfunctools\npartial\n(cbuiltins\nprint\ntR.",
    "copyreg": b"ccopyreg\n_reconstructor\n(cnumpy\nndarray\ncbuiltins\nobject\nNtR.",
    "an old instance": b"(ios\nsystem\n.",
    "an old object": b"(cos\nsystem\nS'true'\no.",
    "an import": b"cantigravity\nfly\n.",
}


@pytest.mark.parametrize("name", GADGETS)
def test_names_that_are_not_admitted(name: str) -> None:
    """Nothing of theirs is imported, and nothing is called."""
    with pytest.raises(UnpickleError):
        load(GADGETS[name], NORMALIZE)
    assert not MARKER.exists()
    assert "antigravity" not in sys.modules


def test_what_an_error_says() -> None:
    """Every refused name at once, and what is admitted."""
    data = pickle.dumps([Runs(print, 1), {"a": Runs(sorted, [2])}, Runs(print, 2)])
    admitted: Admitted = {("numpy", "ndarray"): NUMPY["numpy", "ndarray"]}
    assert refused(lambda: load(data, admitted)) == error(
        """
        UnpickleError: A pickle asks for 2 names that are not admitted.
          refused  builtins.print
          refused  builtins.sorted
          admitted numpy.ndarray

        hint: if you trust the file, read it yourself and give the object
        """
    )


def test_classes_of_the_users_in_a_file(tmp_path: Path) -> None:
    """What a reset told of its world may hold anything: all of it is named, none is run."""
    wrapper = normalised(vector(FEATURES, ACTIONS))
    wrapper.reset_infos = [{"told": Told()}, {"told": [Told]}]
    wrapper.save(str(tmp_path / "vec.pkl"))
    with pytest.raises(UnpickleError) as raised:
        load(tmp_path / "vec.pkl", NORMALIZE)
    assert raised.value.sentence.endswith("vec.pkl asks for a name that is not admitted.")
    assert raised.value.facts[0] == ("refused", f"{Told.__module__}.Told")


class Told:
    """Something of the user's."""


ADMITTED: Admitted = {
    **NUMPY,
    ("stable_baselines3.common.running_mean_std", "RunningMeanStd"): Fill(),
}

STATISTICS = b"cstable_baselines3.common.running_mean_std\nRunningMeanStd\n"

TRICKS: dict[str, bytes] = {
    "attributes of an admitted class": STATISTICS + b"(N}S'update'\nI1\nstb.",
    "a class called": STATISTICS + b"(tR.",
    "a class made with arguments": b"\x80\x02" + STATISTICS + b"I1\n\x85\x81.",
    "a class made with keywords": b"\x80\x04" + STATISTICS + b")}\x92.",
    "an admitted function given attributes": b"cnumpy\ndtype\n}S'x'\nI1\nsb.",
    "a word called": b"cnumpy\nndarray\n(tR.",
    "a number called": b"I1\n(tR.",
    "a state in a list": b"\x80\x02]}b.",
    "an object from outside": b"Psomewhere\n.",
    "a registered extension": b"\x82\x01.",
    "a buffer from outside": b"\x97.",
}


@pytest.mark.parametrize("name", TRICKS)
def test_admitted_names_used_otherwise(name: str) -> None:
    """A name may do what its row says, and nothing else; classes stay as they are."""
    before = dict(vars(RunningMeanStd))
    with pytest.raises(UnpickleError):
        load(TRICKS[name], ADMITTED)
    assert dict(vars(RunningMeanStd)) == before


def array(dtype: bytes, shape: bytes, data: bytes) -> bytes:
    """Write an array by hand: a bare one, filled with what is given."""
    bare = b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntC\x01bt"
    return b"\x80\x04" + bare + b"R(I1\n" + shape + dtype + b"I00\n" + data + b"tb"


FLOATS = b"cnumpy\ndtype\n(S'f8'\nI00\nI01\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
POINTERS = b"cnumpy\ndtype\n(S'O8'\nI00\nI01\ntR(I3\nS'|'\nNNNI-1\nI-1\nI%d\ntb"
EIGHT = b"C\x08aaaaaaaa"
ONE = b"(I1\nt"

MEMORY: dict[str, bytes] = {
    "objects from bytes": array(POINTERS % 63, ONE, EIGHT) + b".",
    "a dtype of pointers that denies it": array(POINTERS % 0, ONE, EIGHT) + b".",
    "fields": b"cnumpy\ndtype\n((S'a'\nS'f8'\nt(tR.",
    "fields put in later": FLOATS.replace(b"NNN", b"N(S'a'\nt}") + b".",
    "an untold kind": b"cnumpy\ndtype\n(S'V8'\nI00\nI01\ntR.",
    "a dtype by attribute": b"cnumpy\ndtype\n(S'numpy.float64'\ntR.",
    "too few bytes": array(FLOATS, b"(I9\nt", EIGHT) + b".",
    "more entries than memory": array(FLOATS, b"(I9000000000000\nt", EIGHT) + b".",
    "a size below 0": array(FLOATS, b"(I-1\nt", EIGHT) + b".",
    "filled twice": array(FLOATS, ONE, EIGHT) + b"(I1\n" + ONE + FLOATS + b"I00\n" + EIGHT + b"tb.",
    "bare memory": b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I9\ntC\x01btR.",
    "a view of another array": b"\x80\x04cnumpy._core.numeric\n_frombuffer\n("
    + array(FLOATS, ONE, EIGHT)[2:]
    + FLOATS
    + b"(I1\ntS'C'\ntR.",
    "a number of other bytes": b"\x80\x04cnumpy._core.multiarray\nscalar\n("
    + FLOATS
    + b"C\x01atR.",
    "an object as a number": b"\x80\x04cnumpy._core.multiarray\nscalar\n("
    + POINTERS % 63
    + EIGHT
    + b"tR.",
    "other random bits": b"cnumpy.random._pickle\n__bit_generator_ctor\n(S'MT19937'\ntR.",
    "a class as random bits": b"cnumpy.random._pickle\n__bit_generator_ctor\n(cnumpy\nndarray\ntR.",
}


@pytest.mark.parametrize("name", MEMORY)
def test_numpy_is_not_trusted_with_memory(name: str) -> None:
    """What numpy would take for pointers, or for more than there is, is refused before."""
    with pytest.raises(UnpickleError) as raised:
        load(MEMORY[name], NUMPY)
    assert raised.value.sentence == "A pickle is no whole pickle of the kind expected."


def test_the_handwritten_array_is_one() -> None:
    """Those tests fail for what they are about: written as numpy writes it, the array is read."""
    data = array(FLOATS, ONE, EIGHT) + b"."
    assert load(data, NUMPY) == pickle.loads(data)


def test_what_numpy_1_wrote() -> None:
    """Modules had other names, and a generator's state was that of its bits."""
    data = array(FLOATS, ONE, EIGHT) + b"."
    old = data.replace(b"numpy._core", b"numpy.core")
    assert old != data
    assert load(old, NUMPY) == pickle.loads(data)
    generator = np.random.default_rng(5)
    state = pickle.dumps(generator.bit_generator.state, 0)[:-1]
    old = b"cnumpy.random._pickle\n__generator_ctor\n(S'PCG64'\ntR" + state + b"b."
    assert load(old, NUMPY).random() == generator.random()


# Files that are broken


def test_nothing_and_noise() -> None:
    """An empty file, a text and a picture's first bytes are refused, with Python's words."""
    assert refused(lambda: load(b"", {})) == error(
        """
        UnpickleError: A pickle is no whole pickle of the kind expected.
          EOFError no reason given
        """
    )
    for noise in (b"hello", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", bytes(range(256)), b"\xff" * 9):
        with pytest.raises(UnpickleError):
            load(noise, NORMALIZE)


def written() -> bytes:
    wrapper = normalised(vector(FEATURES, ACTIONS), steps=3)
    wrapper.action_space.seed(1)
    return pickle.dumps(wrapper)


WHOLE = written()


@law(st.integers(0, len(WHOLE) - 1), few=60)
def test_a_file_that_was_cut_off(at: int) -> None:
    """Wherever it ends too early, that is said."""
    with pytest.raises(UnpickleError):
        load(WHOLE[:at], NORMALIZE)


@law(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=4), few=60)
def test_a_file_with_other_bytes(changes: list[tuple[int, int]]) -> None:
    """Bytes that were changed give an error of ours, or something read: never anything else."""
    data = bytearray(WHOLE)
    for at, byte in changes:
        data[at] = byte
    with suppress(UnpickleError):
        load(bytes(data), NORMALIZE)


def test_every_name_that_is_admitted_is_asked_for() -> None:
    """The table has no rows but those that numpy, spaces and VecNormalize write, old or new."""
    everything = [
        written(),
        *(pickle.dumps(space, p) for space in SPACE.values() for p in PROTOCOLS),
    ]
    everything += [pickle.dumps(OrderedDict()), pickle.dumps(np.random.default_rng(), 5)]
    asked = {name for data in everything for name in names(data)}
    old = {name for name in NORMALIZE if name[0].startswith("numpy.core.")}
    assert {*NORMALIZE} - old == asked


def names(data: bytes) -> set[tuple[str, str]]:
    """List the names that a pickle asks for."""
    asked: set[tuple[str, str]] = set()

    class Lists(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            asked.add((module, name))
            return super().find_class(module, name)

    Lists(BytesIO(data)).load()
    return asked
