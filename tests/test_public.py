"""The public face: which names there are, how they are called, and that each shows an example."""

import inspect
import re
from dataclasses import is_dataclass

import pytest

import suture

NAMES = """
Affine Algebra Bias Categorical Checkpoint CopyOf CoupleError Derived Described Exactness
Explanation FileError Followed Graph Group Interactions Match MatchError MeanOfOld OptimizerError
OptimizerReport OwnInit Pick Plan PlanError Policy RecoveryError Report RuleError Schema
SchemaError Slot Spec SpecError Subject SutureError TensorArgument TraceError TransferError Units
UnknownOpError UnpickleError VerifyError Window Written apply carry carry_choices carry_file
carry_statistics couple derive explain gradient_interactions interactions match open_checkpoint
parse plan recovery rule slot trace transfer transfer_checkpoints transfer_optimizer
transfer_replay_buffer transfer_schedule transfer_vec_normalize verify
"""

SIGNATURES = """
Affine(scale: float = 1.0, shift: float = 0.0)
Bias(value: float = 0.0)
Categorical(names: Iterable[str])
CopyOf(name: str)
Described(spec: str, algebra: str | None = None, sizes: Mapping[str, int], picks: tuple[Pick, ...] = (), windows: tuple[Window, ...] = ())
Exactness(output: str, level: Level, reasons: tuple[Note, ...] = ())
Policy(name: Word = exact, scale: float = 1.0, starts: Mapping[str, Start], noise: float = 0.0)
Schema(inputs: Mapping[str, Labels], outputs: Mapping[str, Labels], state: Mapping[str, str])
Subject(model: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, schema: Schema | None = None, call: Callable[..., Any] | None = None, mirror: Mapping[str, str], concrete: Sequence[str] = ())
SutureError(sentence: str, facts: Iterable[tuple[str, str]] = (), hint: str | None = None)
apply(plan: Plan, source_state: State, target_state: State) -> dict[str, Any]
carry(plan: Plan, name: str, array: NDArray[Any], *, fresh: Mapping[str, float] | float | None = None, rescaled: Mapping[str, Affine] | None = None) -> NDArray[Any]
carry_choices(plan: Plan, name: str, chosen: NDArray[Any]) -> NDArray[Any]
carry_statistics(plan: Plan, name: str, mean: NDArray[Any], var: NDArray[Any], *, fresh: Mapping[str, Moments] | None = None, rescaled: Mapping[str, Affine] | None = None) -> tuple[NDArray[Any], NDArray[Any]]
carry_file(plan: Plan, old: Checkpoint, new_path: str | PathLike[str], *, fresh: Checkpoint | State | None = None, format: Format | None = None, config: Mapping[str, str] | None = None, settings: Mapping[str, Any] | None = None, optimizer: OptimizerPolicy = carry, force: bool = False, allow_nan: bool = False, progress: Progress | None = None) -> Written
couple(graph: Graph) -> Units
derive(target: Graph, tensors: Iterable[Tensor], rename: Rules | None = None, *, schema: Schema | None = None, sizes: Mapping[str, str] | None = None) -> Derived
explain(graph: Graph, name: str) -> Explanation
gradient_interactions(source: Subject, init: Literal[positive, random] = positive, pooling: Literal[average, max] = average, saturation: Literal[normalised, raw] = normalised, features: Sequence[str] | None = None, seed: int = 0) -> Interactions
interactions(graph: Graph) -> Interactions
match(source: Units, target: Units, rename: Rules | None = None, keep: Keep | None = None) -> Match
open_checkpoint(path: str | PathLike[str], weights: str | None = None) -> Checkpoint
parse(text: str) -> Spec
plan(source: Graph, target: Graph, matcher: Literal[coupling, interactions] = coupling, phi: Phis | None = None, rename: Rules | None = None, *, constants: Mapping[str, float] | None = None, means: Mapping[str, float] | None = None, rescaled: Mapping[str, Affine] | None = None, fill: str | Policy | Mapping[str, Start] = exact, keep: Keep | None = None) -> Plan
rule(ops: object, spec: str | None = None, algebra: str = '') -> Any
slot(name: str, follows: Word, *, begins: str | None = None, over: int | None = None, optimizer: str = '') -> Slot
trace(subject: Subject) -> Graph
transfer(source: Subject, target: Subject, rename: Rules | None = None, *, generic: int | None = None, constants: Mapping[str, float] | None = None, means: Mapping[str, float] | None = None, rescaled: Mapping[str, Affine] | None = None, fill: str | Policy | Mapping[str, Start] = exact, keep: Keep | None = None) -> Plan
transfer_optimizer(plan: Plan, source_optimizer: Any, target_optimizer: Any, source: Owner = None, target: Owner = None, *, fresh: Literal[mean, zero] = mean, options: Collection[str] = ()) -> OptimizerReport
transfer_checkpoints(plan: Plan, folder: str | PathLike[str], into: str | PathLike[str], target_state: State, *, pattern: str = *.pt, read: Read | None = None, write: Write | None = None, overwrite: bool = False) -> list[Path]
transfer_replay_buffer(plan: Plan, source: ReplayBuffer | str | PathLike[str], target: ReplayBuffer, *, name: str = obs, actions: str | None, fresh: Mapping[str, float] | None = None, rescaled: Mapping[str, Affine] | None = None) -> ReplayBuffer
transfer_schedule(source: Scheduler | Mapping[str, Any], target: Scheduler) -> Scheduler
transfer_vec_normalize(plan: Plan, source: VecNormalize | str | PathLike[str], venv: VecEnv, *, name: str = obs, fresh: Mapping[str, Moments] | None = None, rescaled: Mapping[str, Affine] | None = None) -> VecNormalize
verify(plan: Plan, source: Subject, target: Subject, states: int | Iterable[Inputs] | None = None, generic: int | None = None) -> Report
"""  # noqa: E501  (one a line)

ATTRIBUTES = {
    "Explanation": "axes dims kind mirror reached tensor tied to_json values",
    "Interactions": "features groups interactions mask parameters sets total touched unreached",
    "OptimizerReport": "dropped optimizers parameters state unheld",
    "Plan": "exact exactness from_json inputs notes outputs source target tensors to_json unpaired",
    "Report": (
        "apart equal generic generic_states held held_at left_out max_abs_diff max_rel_diff "
        "outputs parted states"
    ),
}


def signature(name: str) -> str:
    """Write how a name is called; a default that is made anew each time is left out."""
    text = f"{name}{inspect.signature(getattr(suture, name))}".replace("'", "").replace('"', "")
    text = text.replace(" = <factory>", "").removesuffix(" -> None")
    return re.sub(r"= (?=[,)])", "= ''", text)


def shows_an_example(item: object) -> bool:
    """Whether some line of a docstring's examples runs."""
    lines = (inspect.getdoc(item) or "").splitlines()
    return any(">>>" in line and "+SKIP" not in line for line in lines)


def test_the_public_names() -> None:
    """`suture.__all__` is this list, in order, and each name is there."""
    assert NAMES.split() == suture.__all__ == sorted(suture.__all__)
    assert all(hasattr(suture, name) for name in suture.__all__)


@pytest.mark.parametrize("line", SIGNATURES.split("\n")[1:-1], ids=lambda line: line.split("(")[0])
def test_how_a_public_name_is_called(line: str) -> None:
    """Names, order, types and defaults of its arguments are these."""
    assert signature(line.split("(")[0]) == line


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_what_a_result_offers(name: str) -> None:
    """The public attributes of a result are these."""
    assert sorted(item for item in dir(getattr(suture, name)) if item[0] != "_") == (
        ATTRIBUTES[name].split()
    )


@pytest.mark.parametrize("name", suture.__all__)
def test_a_public_name_shows_how_it_is_used(name: str) -> None:
    """A function has an example that runs; a class has one, or is data, or is an error."""
    item = getattr(suture, name)
    plain = inspect.isclass(item) and (is_dataclass(item) or issubclass(item, suture.SutureError))
    assert plain or shows_an_example(item)


@pytest.mark.parametrize("name", suture.__all__)
def test_a_public_docstring_begins_with_a_sentence(name: str) -> None:
    """The first line stands alone and ends with a full stop."""
    first, _, rest = (inspect.getdoc(getattr(suture, name)) or "").partition("\n")
    assert first.endswith(".")
    assert not rest or rest.startswith("\n")


@pytest.mark.parametrize(
    "name", [name for name in suture.__all__ if inspect.isfunction(getattr(suture, name))]
)
def test_a_public_function_documents_its_arguments(name: str) -> None:
    """Every argument stands under Args, and the result under Returns."""
    function = getattr(suture, name)
    text = inspect.getdoc(function) or ""
    parameters = inspect.signature(function).parameters
    assert [
        each for each in parameters if not re.search(rf"^    {each}: ", text, re.MULTILINE)
    ] == []
    assert "\nReturns:\n" in text


def test_every_error_is_one_family() -> None:
    """Whoever catches `SutureError` catches them all."""
    errors = [getattr(suture, name) for name in suture.__all__ if name.endswith("Error")]
    assert all(issubclass(error, suture.SutureError) for error in errors)
