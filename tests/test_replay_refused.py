"""Replay buffers that do not fit: one error says all of it, and nothing is written."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import NStepReplayBuffer, ReplayBuffer
from torch import nn

import suture
from refusals import error, refused
from stored import (
    MORE,
    NEW,
    OLD,
    PLAN,
    PUSHES,
    SAME,
    UNSHARED,
    buffer,
    continuous,
    filled,
    network,
)
from suture import Subject, TransferError, UnpickleError


def test_all_that_does_not_fit_at_once() -> None:
    """Features without values, actions that are gone, names of nothing."""
    plan = suture.plan(network(OLD, ["left", "duck"]), network(["fog", *NEW], ["left", "up"]))
    run = buffer(3, spaces.Discrete(2))
    for act in (0, 1):
        step = np.zeros((2, 3)), np.zeros((2, 3)), np.array([act, 1]), np.zeros(2)
        run.add(*step, np.zeros(2), [{}, {}])
    new = buffer(5, spaces.Discrete(2))
    before = deepcopy(vars(new))
    assert refused(
        lambda: suture.transfer_replay_buffer(
            plan, run, new, actions="output", fresh={"ops.fog": 1.0}
        )
    ) == error(
        """
        TransferError: The buffer does not fit the plan.
          ops.fog  is of nothing in the buffer
          obs.fog  is new, and no value is given
          obs.wind is new, and no value is given
          output.duck is gone, and chosen 3 times
        """
    )
    assert repr(vars(new)) == repr(before)


def test_buffers_that_are_not_alike() -> None:
    """Sizes, numbers of environments and what is stored."""
    run = buffer(3, spaces.Discrete(2))
    box = spaces.Box(-9, 9, (4,), np.float32)
    new = ReplayBuffer(30, box, spaces.Discrete(2), "cpu", n_envs=3, **UNSHARED)
    assert refused(
        lambda: suture.transfer_replay_buffer(SAME, run, new, actions="output")
    ) == error(
        """
        TransferError: The buffers are not alike.
          buffer_size 5 and 10
          n_envs   2 and 3
          optimize_memory_usage False and True
          handle_timeout_termination True and False

        hint: make the new one like the old
        """
    )


def test_classes_that_nobody_knows() -> None:
    """A class of the user's may hold anything along features."""

    class Mine(ReplayBuffer):
        pass

    known = "is not among the classes known: ReplayBuffer, DictReplayBuffer, NStepReplayBuffer, "
    mine = buffer(3, spaces.Discrete(2), Mine), buffer(4, spaces.Discrete(2), Mine)
    with pytest.raises(TransferError) as raised:
        suture.transfer_replay_buffer(SAME, *mine, actions="output")
    assert raised.value.facts == (("Mine", f"{known}HerReplayBuffer"),)
    pair = buffer(3, spaces.Discrete(2)), buffer(4, spaces.Discrete(2), NStepReplayBuffer)
    with pytest.raises(TransferError) as raised:
        suture.transfer_replay_buffer(SAME, *pair, actions="output")
    assert raised.value.facts == (("class", "ReplayBuffer and NStepReplayBuffer"),)


ONLY = "only Discrete and Box with one dim follow by name"


@pytest.mark.parametrize(
    ("before", "after", "name", "text"),
    [
        (
            spaces.Discrete(2),
            spaces.Discrete(3),
            None,
            "are Discrete(2) and Discrete(3): say which output's entries they are, actions=...",
        ),
        (
            spaces.MultiDiscrete([2, 3]),
            spaces.MultiDiscrete([3, 3]),
            "output",
            f"are MultiDiscrete([2 3]) and MultiDiscrete([3 3]): {ONLY}",
        ),
    ],
)
def test_actions_that_do_not_follow(
    before: spaces.Space[Any], after: spaces.Space[Any], name: str | None, text: str
) -> None:
    """Which output they are has to be said, and kinds without names are refused."""
    pair = filled(buffer(3, before), 0), buffer(4, after)
    with pytest.raises(TransferError) as raised:
        suture.transfer_replay_buffer(PLAN, *pair, actions=name, fresh={"obs.wind": 0.0})
    assert raised.value.facts == (("actions", text),)


def test_actions_that_reach_further_now() -> None:
    """A buffer holds actions between the ends of their range: with other ends, other actions."""
    pair = buffer(3, continuous(PUSHES, [-1, -1])), buffer(4, continuous(MORE, [-1, -1, -2]))
    known = {"obs.wind": 0.0, "output.brake": 0.0}
    with pytest.raises(TransferError) as raised:
        suture.transfer_replay_buffer(PLAN, *pair, actions="output", fresh=known)
    text = "its low was -1 and is -2: numbers mean others"
    assert raised.value.facts == (("output.left", text),)


def test_actions_without_names_that_reach_further_now() -> None:
    """Where an output has no names, it is said by position which action it is."""

    def traced(features: Sequence[str]) -> suture.Graph:
        schema = suture.Schema(inputs={"obs": features})
        example = (torch.zeros(5, len(features)),)
        model = nn.Linear(len(features), 2)
        return suture.trace(Subject(model, example, schema=schema, call=lambda m, obs: m(obs)))

    plan = suture.plan(traced(OLD), traced(NEW))
    pair = buffer(3, continuous(PUSHES, [-1, -1])), buffer(4, continuous(PUSHES, [-1, -2]))
    with pytest.warns(UserWarning, match="by position"), pytest.raises(TransferError) as raised:
        suture.transfer_replay_buffer(plan, *pair, actions="output", fresh={"obs.wind": 0.0})
    text = "its low was -1 and is -2: numbers mean others"
    assert raised.value.facts == (("output at 1", text),)


def test_a_buffer_of_another_width() -> None:
    """The plan's new features are not those of the new buffer."""
    pair = filled(buffer(3, spaces.Discrete(2)), 2), buffer(6, spaces.Discrete(2))
    with pytest.raises(TransferError) as raised:
        suture.transfer_replay_buffer(SAME, *pair, fresh={"obs.wind": 0.0}, actions="output")
    text = "is float32[4] in the plan, float32[6] in the new buffer"
    assert raised.value.facts == (("obs", text),)


def test_files_that_are_something_else(tmp_path: Path) -> None:
    """Another pickle and one that runs something."""
    for content, kind in ((pickle.dumps([1]), TransferError), (pickle.dumps(print), UnpickleError)):
        (tmp_path / "steps.pkl").write_bytes(content)
        with pytest.raises(kind):
            suture.transfer_replay_buffer(
                SAME, tmp_path / "steps.pkl", buffer(4, spaces.Discrete(2)), actions="output"
            )


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """As with any other file."""
    lost, new = tmp_path / "steps.pkl", buffer(4, spaces.Discrete(2))
    assert (
        refused(lambda: suture.transfer_replay_buffer(SAME, lost, new, actions="output"))
        == f"FileError: {lost} cannot be read.\n  because  No such file or directory"
    )


def test_fewer_actions_than_in_the_plan() -> None:
    """Numbers that the new environment would not take."""
    run = filled(buffer(3, spaces.Discrete(2)), 4)
    with pytest.raises(TransferError) as raised:
        suture.transfer_replay_buffer(
            PLAN, run, buffer(4, spaces.Discrete(2)), actions="output", fresh={"obs": 0.0}
        )
    text = "reach 2 in the plan, and the new space is Discrete(2)"
    assert raised.value.facts == (("actions", text),)


def test_actions_of_another_width_than_in_the_plan() -> None:
    """The size is said, and the ends of ranges are not asked of what is not there."""
    pair = filled(buffer(3, continuous(PUSHES, [-1, -1])), 2), buffer(4, continuous("ab", [-2, -2]))
    known = {"obs.wind": 0.0, "output.brake": 0.0}
    with pytest.raises(TransferError) as raised:
        suture.transfer_replay_buffer(PLAN, *pair, actions="output", fresh=known)
    text = "is float32[3] in the plan, float32[2] in the new buffer"
    assert raised.value.facts == (("output", text),)
