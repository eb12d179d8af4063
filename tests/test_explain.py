"""Explanations: what each dim is made of, who shares it, and what is done along it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn

import suture
from suture import Schema, Subject
from suture._explanation import Explanation, Joined, Made, One, Told


def still(model: nn.Module) -> nn.Module:
    """Let a model do what it does when it is used."""
    return model.train(mode=False)


def explained(name: str, model: nn.Module, *args: Any, **options: Any) -> Explanation:
    """Trace a model and explain one of its tensors."""
    return suture.explain(suture.trace(Subject(model, args, **options)), name)


def told(explanation: Explanation, letter: str) -> set[tuple[str, str]]:
    """List what is said of an axis: words, and who they are about."""
    [axis] = [axis for axis in explanation.axes if axis.letter == letter]
    return {(each.word, each.name) for each in axis.told}


def dims(explanation: Explanation) -> list[str]:
    """Read the dims from the screen."""
    lines = str(explanation).splitlines()
    return [line.split(" = ")[1] for line in lines if line.startswith("dim ")]


@pytest.fixture(scope="module")
def gpt2() -> suture.Graph:
    """A GPT-2 of two layers, 3 heads of 8, with its embedding tied."""
    config = transformers.GPT2Config(
        n_embd=24, n_head=3, n_layer=2, vocab_size=97, n_positions=16, use_cache=False,
        bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    with torch.device("meta"):
        model = still(transformers.GPT2LMHeadModel(config))
    ids = torch.zeros(2, 5, dtype=torch.long)
    return suture.trace(Subject(model, kwargs={"input_ids": ids}))


FUSED = """\
Parameter transformer.h.1.attn.c_attn.weight f32[24,72]

  (a b) a x b entries, b runs faster   a+b laid end to end   written: an op's result has it
  read: summed over, with data   tied: entry meets entry of data from elsewhere
  mixed: every entry sees every other   contracted: summed over, data with data

dim 0   24 = a
        read in addmm of transformer.h.1.attn.c_attn
dim 1   72 = (b c)+(b c)+(b d)
        written in addmm of transformer.h.1.attn.c_attn
        0..24        (b c)
        24..48       (b c)
        48..72       (b d)

a   24 entries, shared by 23 other tensors
  written by           transformer.wte.weight                   97 a
                       transformer.h.0.attn.c_proj.weight       24 a
                       transformer.h.{0..1}.mlp.c_proj.weight   96 a
                       transformer.h.1.attn.c_proj.weight       (b d) a
  added to by          transformer.wpe.weight                  16 a
                       transformer.h.{0..1}.ln_1.bias          a
                       transformer.h.{0..1}.attn.c_proj.bias   a
                       transformer.h.{0..1}.ln_2.bias          a
                       transformer.h.{0..1}.mlp.c_proj.bias    a
                       transformer.ln_f.bias                   a
  scaled by            transformer.h.{0..1}.ln_1.weight   a
                       transformer.h.{0..1}.ln_2.weight   a
                       transformer.ln_f.weight            a
  tied by              add of transformer.h.{0..1}
  read by              transformer.wte.weight                 97 a
                       transformer.h.0.attn.c_attn.weight     a 72
                       transformer.h.{0..1}.mlp.c_fc.weight   a 96
  mixed by             native_layer_norm of transformer.h.{0..1}.ln_1
                       native_layer_norm of transformer.h.{0..1}.ln_2
                       native_layer_norm of transformer.ln_f

b   3 entries, shared by 2 other tensors
  added to by          transformer.h.1.attn.c_attn.bias   (b c)+(b c)+(b d)
  read by              transformer.h.1.attn.c_proj.weight   (b d) a

c   8 entries, shared by 1 other tensor
  added to by          transformer.h.1.attn.c_attn.bias   (b c)+(b c)+(b d)
  contracted by        bmm of transformer.h.1.attn

d   8 entries, shared by 2 other tensors
  added to by          transformer.h.1.attn.c_attn.bias   (b c)+(b c)+(b d)
  read by              transformer.h.1.attn.c_proj.weight   (b d) a
"""


def test_a_parameter_of_gpt2_on_the_screen(gpt2: suture.Graph) -> None:
    """This is all that is said of it."""
    assert f"{suture.explain(gpt2, FUSED.split()[1])}\n" == FUSED


def test_a_fused_projection_is_three_parts_of_heads(gpt2: suture.Graph) -> None:
    """Queries, keys and values share their heads; queries and keys share what they contract."""
    found = suture.explain(gpt2, "transformer.h.1.attn.c_attn.weight")
    assert dims(found) == ["a", "(b c)+(b c)+(b d)"]
    assert [axis.size for axis in found.axes] == [24, 3, 8, 8]
    bias, out = "transformer.h.1.attn.c_attn.bias", "transformer.h.1.attn.c_proj.weight"
    assert told(found, "b") == {("added", bias), ("read", out)}
    assert told(found, "c") == {("added", bias), ("contracted", "transformer.h.1.attn")}
    assert told(found, "d") == {("added", bias), ("read", out)}


def test_a_residual_stream_is_one_axis_because_of_its_additions(gpt2: suture.Graph) -> None:
    """Both embeddings, every block and every norm share it, and the sums that tie them are told."""
    found = told(suture.explain(gpt2, "transformer.h.1.attn.c_attn.weight"), "a")
    assert found >= {
        ("written", "transformer.wte.weight"),
        ("added", "transformer.wpe.weight"),
        ("written", "transformer.h.0.mlp.c_proj.weight"),
        ("scaled", "transformer.ln_f.weight"),
        ("mixed", "transformer.h.0.ln_1"),
        ("tied", "transformer.h.0"),
        ("read", "transformer.wte.weight"),
    }


def test_what_is_the_same_of_many_layers_is_one_line(gpt2: suture.Graph) -> None:
    """A stream of 23 tensors stays readable: layers are folded, and no line is long."""
    screen = str(suture.explain(gpt2, "transformer.h.1.attn.c_attn.weight")).splitlines()
    assert "a   24 entries, shared by 23 other tensors" in screen
    assert any("transformer.h.{0..1}.ln_1.weight" in line for line in screen)
    assert len(screen) < 50
    assert max(map(len, screen)) <= 100


def test_a_tied_embedding_is_looked_up_and_written(gpt2: suture.Graph) -> None:
    """Tokens that come in choose its rows, and the same rows write what goes out."""
    found = suture.explain(gpt2, "lm_head.weight")
    assert (found.tensor.name, found.tied) == ("transformer.wte.weight", ("lm_head.weight",))
    assert [one.role for one in found.dims[0].done] == ["chosen", "written"]
    assert [one.role for one in found.dims[1].done] == ["written", "read"]
    assert told(found, "a") == {("values", "input_ids"), ("output", "logits")}
    assert "  also called lm_head.weight" in str(found).splitlines()


def test_the_tokens_that_come_in_choose_rows(gpt2: suture.Graph) -> None:
    """The values of an integer input are an axis of their own."""
    found = suture.explain(gpt2, "input_ids")
    assert isinstance(found.values, One)
    assert ("chosen", "transformer.wte.weight") in told(found, found.values.letter)
    assert f"values   choose from 97 = {found.values.letter}" in str(found).splitlines()


def test_grouped_queries_share_the_heads_of_their_keys() -> None:
    """Keys are heads x pairs that meet one frequency; queries have a factor more."""
    config = transformers.LlamaConfig(
        hidden_size=24, intermediate_size=44, num_attention_heads=6, num_key_value_heads=2,
        num_hidden_layers=1, vocab_size=97, max_position_embeddings=16, use_cache=False,
    )  # fmt: skip
    with torch.device("meta"):
        model = still(transformers.LlamaForCausalLM(config))
    kwargs = {"input_ids": torch.zeros(2, 5, dtype=torch.long)}
    found = explained("model.layers.0.self_attn.k_proj.weight", model, kwargs=kwargs)
    assert dims(found) == ["(a (b+b))", "c"]
    assert "q_proj.weight   (a 3 (b+b)) c" in str(found)


def test_channels_behind_a_flatten() -> None:
    """The columns of a linear layer are channels x height x width; only channels have a writer."""
    layers = nn.Conv2d(3, 7, 3), nn.BatchNorm2d(7), nn.Flatten(), nn.Linear(7 * 4 * 5, 6)
    found = explained("3.weight", nn.Sequential(*layers).eval(), torch.zeros(2, 3, 6, 7))
    assert dims(found) == ["a", "(b c d)"]
    assert ("written", "0.weight") in told(found, "b")
    assert ("scaled", "1.weight") in told(found, "b")
    assert ("met", "1.running_var") in told(found, "b")
    assert told(found, "c") == told(found, "d") == {("made", "0")}


def test_taps_of_a_kernel_are_no_ones() -> None:
    """A kernel's own dims are shared by nothing."""
    found = explained("weight", nn.Conv1d(3, 5, 4), torch.zeros(2, 3, 9))
    assert [[one.role for one in dim.done] for dim in found.dims] == [
        ["written"],
        ["read"],
        ["tap"],
    ]
    assert told(found, "c") == set()


class Recurrent(nn.Module):
    """An LSTM with a head."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 5, batch_first=True)
        self.head = nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.lstm(x)[0])
        return out


def test_four_gates_are_four_parts_of_one_axis() -> None:
    """Every gate has the units of the state, which the recurrent weight reads as well."""
    found = explained("lstm.weight_hh_l0", Recurrent(), torch.zeros(2, 4, 3))
    assert dims(found) == ["a+a+a+a", "a"]
    assert "        15..20       a" in str(found).splitlines()
    assert {("written", "lstm.weight_ih_l0"), ("read", "head.weight")} <= told(found, "a")


class Laid(nn.Module):
    """What an encoder says of a hero, and a clock that runs backwards, end to end."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.head = nn.Linear(3, 6), nn.Linear(8, 2)

    def forward(self, hero: Tensor, clock: Tensor) -> Tensor:
        seen = self.encoder(hero).relu()
        out: Tensor = self.head(torch.cat([seen, clock.flip(-1)], -1))
        return out


SCHEMA = Schema(
    inputs={"hero": ["x", "y", "health"], "clock": ["time", "turn"]},
    outputs={"output": ["stay", "go"]},
)


def test_names_of_a_schema_are_those_of_axes() -> None:
    """Named entries stand in the order of the dim, also where they were picked."""
    found = explained("head.weight", Laid(), torch.zeros(5, 3), torch.zeros(5, 2), schema=SCHEMA)
    assert dims(found) == ["a", "b+c"]
    assert [axis.names for axis in found.axes] == [
        ("output.stay", "output.go"),
        (),
        ("clock.turn", "clock.time"),
    ]
    assert "clock   5 c[..]" in str(found)


def test_an_input_is_explained_like_a_parameter() -> None:
    """Who reads it is told."""
    found = explained("hero", Laid(), torch.zeros(5, 3), torch.zeros(5, 2), schema=SCHEMA)
    assert found.kind == "input"
    assert told(found, "b") == {("read", "encoder.weight")}


class Idle(nn.Module):
    """A layer that is called, one that is not, and a number."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.idle = nn.Linear(3, 4), nn.Linear(3, 4)
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.used(x) * self.scale
        return out


def test_a_parameter_that_no_call_reaches() -> None:
    """Nothing is known of its dims, and that is said."""
    found = explained("idle.weight", Idle(), torch.zeros(2, 3))
    assert (found.reached, found.axes) == (False, ())
    assert str(found) == (
        "Parameter idle.weight f32[4,3]\n\n"
        "No call reaches it: of its dims nothing but the sizes is known."
    )


def test_a_parameter_with_a_mirror() -> None:
    """It is explained as its twin, which is named, and which shares its axes."""
    found = explained("idle.bias", Idle(), torch.zeros(2, 3), mirror={"idle": "used"})
    assert (found.reached, found.mirror) == (True, "used.bias")
    assert "No call reaches it: it is explained as its twin used.bias." in str(found)
    assert ("added", "used.bias") in told(found, "a")


def test_a_single_number() -> None:
    """It has no dims."""
    found = explained("scale", Idle(), torch.zeros(2, 3))
    assert str(found) == "Parameter scale f32[]\n\nIt is a single number."


def test_every_letter_says_who_shares_its_entries() -> None:
    """As JSON, letters stand in trees of the dims, here and in every other tensor."""
    found = explained("head.weight", Laid(), torch.zeros(5, 3), torch.zeros(5, 2), schema=SCHEMA)
    read = json.loads(found.to_json())
    assert (read["format"], read["version"], read["kind"]) == ("suture-explanation", 1, "parameter")
    assert [part["letter"] for part in read["dims"][1]["made"]["sum"]] == ["b", "c"]
    assert read["axes"][2]["told"][0]["dims"][1] == {"size": 2, "letter": "c", "picked": True}
    assert {each["word"] for each in read["axes"][1]["told"]} == {"written", "added"}


# --- all that is said ----------------------------------------------------------


def letters(made: Made) -> set[str]:
    """List the letters in a dim."""
    if isinstance(made, Joined):
        return set().union(*map(letters, made.parts))
    return {made.letter} - {""}


@pytest.mark.parametrize("model", [Recurrent, Idle], ids=lambda model: model.__name__)
def test_sharing_is_mutual(model: Callable[[], nn.Module]) -> None:
    """If one tensor is told to share an axis with another, the other is told the same of it."""
    graph = suture.trace(Subject(model(), (torch.zeros(2, 4, 3),)))
    names = [*graph.parameters, *graph.inputs, *graph.outputs]
    sharing = {
        name: {
            each.name for axis in suture.explain(graph, name).axes for each in tensors(axis.told)
        }
        for name in names
    }
    assert all(name in sharing[other] for name in names for other in sharing[name])


def tensors(said: tuple[Told, ...]) -> list[Told]:
    """Leave out what is said of ops."""
    return [each for each in said if not each.op]


def test_every_axis_of_a_dim_is_explained(gpt2: suture.Graph) -> None:
    """Letters of the dims are those of the axes, and sizes multiply up."""
    for name, value in gpt2.parameters.items():
        found = suture.explain(gpt2, name)
        assert {letter for dim in found.dims for letter in letters(dim.made)} == {
            axis.letter for axis in found.axes
        }
        assert tuple(dim.made.size for dim in found.dims) == gpt2.values[value].shape


# --- what cannot be explained --------------------------------------------------


def test_a_name_that_is_nearly_right(gpt2: suture.Graph) -> None:
    """The error says which was probably meant."""
    with pytest.raises(suture.SchemaError) as caught:
        suture.explain(gpt2, "transformer.h.1.attn.c_atn.weight")
    assert str(caught.value) == (
        "No tensor is called 'transformer.h.1.attn.c_atn.weight'.\n"
        "  parameters 28, e.g. transformer.wte.weight\n"
        "  inputs   1, e.g. input_ids\n\n"
        "hint: did you mean 'transformer.h.1.attn.c_attn.weight'?"
    )


def test_a_model_that_was_not_traced() -> None:
    """The error says what to do first."""
    model: Any = nn.Linear(2, 3)
    with pytest.raises(suture.TraceError) as caught:
        suture.explain(model, "weight")
    assert str(caught.value) == (
        "A tensor is explained in a Graph, not in Linear.\n\n"
        "hint: trace it first: explain(trace(subject), name)"
    )
