"""Agents of Stable-Baselines3: the policy in their archive, and what beside it follows the change.

Knows the archive. Does not know plans. Nothing that is pickled in it is read: what the change
replaces is written anew, and all else goes along as the text that it is.

Source: stable_baselines3.common.save_util, which reads and writes these archives.
"""

from __future__ import annotations

import json
import pickle
import warnings
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile, is_zipfile

import numpy as np
import torch

from suture._dtypes import DTYPES
from suture._errors import FileError
from suture._files._checkpoint import Checkpoint, described
from suture._files._made import Made
from suture._files._members import read, refuse_bomb, refuse_packed
from suture._files._optimizers import AGENT
from suture._files._sink import Sink
from suture._files._writers import Decided, Output, Writing
from suture._files._zips import BROKEN, comment, members, told
from suture._torch._agent_data import lost, replaced
from suture._torch._agent_options import strange_options
from suture._torch._arrays import TORCH, tensor_of
from suture._torch._plain import refuse_strange

DATA, WEIGHTS, OPTIMIZER = "data", "policy.pth", ".optimizer.pth"
POLICY = "policy_kwargs"
SPACES = ("observation_space", "action_space")


@dataclass(frozen=True, slots=True, eq=False)
class Agent:
    """What an archive holds.

    Attributes:
        data: the agent's settings, those that are pickled as texts.
        policy: the policy's state dict.
        optimizers: member -> an optimizer's state dict.
    """

    data: Mapping[str, Any]
    policy: Mapping[str, Any]
    optimizers: Mapping[str, Mapping[str, Any]]


def open_agent(path: Path) -> Checkpoint:
    """Open an agent.

    Raises:
        FileError: it is broken, or its weights need code to be read.
    """
    names, metadata = members(path)
    with ZipFile(path) as archive:
        try:
            refuse_bomb(path, archive.infolist())
            data = json.loads(read(archive, DATA))
        except BROKEN as error:
            raise _broken(path, DATA, error) from None
        policy = _load(path, archive, WEIGHTS)
        trained = {n: _load(path, archive, n) for n in names if n.endswith(OPTIMIZER)}
    for held in (policy, *trained.values()):
        refuse_strange(path, held)
    tensors = isinstance(policy, dict) and all(isinstance(t, torch.Tensor) for t in policy.values())
    if not isinstance(data, dict) or not tensors:
        raise FileError(f"{path} is no agent of Stable-Baselines3.")
    arrays = {name: TORCH.numpy(tensor) for name, tensor in policy.items()}
    others = tuple(
        (name, "optimizer" if name in trained else "member") for name in names if name != WEIGHTS
    )
    content = Agent(data, policy, trained)
    return Checkpoint(
        *(path, "stable-baselines3", described(arrays), arrays, metadata, (path,), others),
        optimizers={_keypath(name): state for name, state in trained.items()},
        content=content,
    )


def _load(path: Path, archive: ZipFile, name: str) -> Any:
    try:
        with warnings.catch_warnings():  # of pickles that are older or newer than usual
            warnings.simplefilter("ignore", UserWarning)
            room = BytesIO(read(archive, name))
            if is_zipfile(room):
                refuse_packed(path, room)
            room.seek(0)
            return torch.load(room, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, *BROKEN) as error:
        raise _broken(path, name, error) from None


def _broken(path: Path, name: str, error: Exception) -> FileError:
    because = [(name, told(error))]
    return FileError(f"{path} is no whole agent of Stable-Baselines3.", because)


def refuse_agent(old: Checkpoint, out: Output) -> None:
    """Refuse to write an agent whose spaces or optimizers nothing was said of.

    Raises:
        FileError: listing what is missing.
    """
    missing = [("missing", name) for name in SPACES if name not in out.settings]
    if missing:
        hint = "give the new agent's policy, --target TARGET, or both by settings="
        raise FileError(f"{old.path} is an agent: the new one needs its spaces.", missing, hint)
    trained = [("optimizer", name) for name in old.content.optimizers]
    if trained and out.optimizer == "refuse":
        hint = "carry them, or begin them anew: --reset-optimizer"
        sentence = f"{old.path} holds the state of optimizers of the old weights."
        raise FileError(sentence, trained, hint)
    same = all(m.plan.source for m in out.made) and len(old.tensors) == sum(
        len(made.names) for made in out.made
    )
    if trained and out.optimizer == "reset" and not same:
        hint = "save the new agent once, and give its optimizers"
        sentence = f"{old.path} has optimizers of other parameters than the new agent's."
        raise FileError(sentence, trained, hint)
    _refuse_options(old, out)


def _refuse_options(old: Checkpoint, out: Output) -> None:
    """Refuse to load into the new policy's optimizers what those of another class left."""
    if POLICY not in out.settings:
        return
    facts = []
    for name in filter(lambda name: _keypath(name) in AGENT, old.content.optimizers):
        written = _optimizer(name, old.content.optimizers[name], out.optimizer)
        found = strange_options(written, out.settings[POLICY] or {})
        facts += [] if found is None else [("optimizer", f"{name} {found}")]
    if facts:
        sentence = f"{old.path} has optimizers of another kind than the new agent's policy makes."
        hint = "build TARGET's policy with the agent's optimizer_class and optimizer_kwargs"
        raise FileError(sentence, facts, hint)


def write_agent(path: Path, old: Checkpoint, out: Output, how: Writing) -> Sequence[str]:
    """Write an agent; name the texts that had no room.

    Args:
        path: an empty file.
        old: an opened agent.
        out: what is to be written.
        how: takes the bytes, and signs.
    """
    agent: Agent = old.content
    new = {
        DATA: replaced(agent.data, out.settings),
        WEIGHTS: _saved(_policy(agent, out, how.sink)),
    }
    new |= {
        name: _saved(_filled(_optimizer(name, state, out.optimizer), how.sink))
        for name, state in agent.optimizers.items()
    }
    with ZipFile(old.path) as archive, ZipFile(path, "w") as written:
        for name in archive.namelist():
            written.writestr(name, new[name] if name in new else _member(old.path, archive, name))
        written.comment, left = comment(how.sign.signed())
    return left


def left_out(old: Checkpoint, out: Output) -> list[str]:
    """Name what of the old agent will not be in the new one."""
    gone = old.content.optimizers if out.optimizer == "reset" else ()
    return [*gone, *lost(old.content.data, out.settings)]


def _member(path: Path, archive: ZipFile, name: str) -> bytearray:
    try:
        return read(archive, name)
    except BROKEN as error:
        raise _broken(path, name, error) from None


def _policy(agent: Agent, out: Output, sink: Sink) -> OrderedDict[str, torch.Tensor]:
    state: OrderedDict[str, torch.Tensor] = OrderedDict()
    vars(state).update(vars(agent.policy) if isinstance(agent.policy, OrderedDict) else {})
    for made in out.made:
        state |= dict.fromkeys(made.names, _tensor(made, sink))
    return state


def _tensor(made: Made, sink: Sink) -> torch.Tensor:
    """Make a tensor in memory: a policy is small."""
    entries = np.empty(made.tensor.size, DTYPES[made.tensor.dtype])
    at = 0
    for stretch in sink.stretches(made):
        entries[at : at + stretch.size] = stretch
        at += stretch.size
    return tensor_of(entries.reshape(made.tensor.shape))


def _filled(value: Any, sink: Sink) -> Any:
    """Make the tensors that are in the making."""
    if isinstance(value, Made):
        return _tensor(value, sink)
    return {k: _filled(v, sink) for k, v in value.items()} if isinstance(value, dict) else value


def _optimizer(name: str, state: Mapping[str, Any], policy: Decided) -> Mapping[str, Any]:
    if callable(policy):
        return policy(_keypath(name), state)
    return {**state, "state": {}}  # an agent is not loaded without one


def _keypath(name: str) -> str:
    return name.removesuffix(".pth")


def _saved(value: object) -> bytes:
    room = BytesIO()
    torch.save(value, room)
    return room.getvalue()
