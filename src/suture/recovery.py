"""Recovery: what a training loop adds after surgery, so that what was transferred is not scrambled.

Every part is small, does nothing before it is asked for, goes with the others, counts the
optimizer's steps, and ends by itself, exactly. `state_dict` and `load_state_dict` carry each over
an interruption.

Example:
    >>> import torch, suture
    >>> from suture import recovery
    >>> def subject(features):
    ...     model = torch.nn.Linear(len(features), 2)
    ...     schema = suture.Schema(inputs={"input": features})
    ...     return suture.Subject(model, (torch.randn(5, len(features)),), schema=schema)
    >>> old, new = subject(["x", "v"]), subject(["x", "wind", "v"])
    >>> plan = suture.transfer(old, new)
    >>> optimizer = torch.optim.Adam(new.model.parameters())
    >>> warm = recovery.warm_up(plan, optimizer, new, recovery.Ramp(hold=1))
    >>> before = new.model.weight.detach().clone()
    >>> new.model(torch.ones(1, 3)).sum().backward()
    >>> optimizer.step()
    >>> new.model.weight.detach() == before  # wind alone has learned
    tensor([[ True, False,  True],
            [ True, False,  True]])
    >>> warm.course.done
    True
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from suture._plan import Plan
from suture._ramp import Ramp

if TYPE_CHECKING:
    from suture._torch._introduced import NewActions, NewFeatures
    from suture._torch._recovering import Bound, Pull, WarmUp

__all__ = ["Ramp", "bound", "new_actions", "new_features", "pull", "warm_up"]


def warm_up(plan: Plan, optimizer: Any, model: Any, ramp: Ramp, within: str = "") -> WarmUp:
    """Let preserved entries move by a growing share of each step, while fresh ones learn freely.

    The optimizer makes its whole step, whatever it is made of (momentum, weight decay, fused
    kernels), and its moments see every gradient. Then each preserved entry is put to
    `before + share x (after - before)`, by its ramp: where the share is 0 it has not moved by a
    single bit. Preserved is what the plan fills from the source, by blocks, so that part of a
    tensor may stand still while another learns.

    Args:
        plan: which entries came from the source.
        optimizer: any of torch's or made like them; its `register_step_..._hook`s are used.
        model: the new model, or its Subject. Parameters that need no gradient are left out.
        ramp: the share of each step that preserved entries make. While it climbs the optimizer's
            steps need a copy of the preserved entries; afterwards there is nothing left of it.
        within: what the names of the parameters begin with that this optimizer is for, such as
            `"actor."` where the critic has an optimizer of its own.

    Returns:
        What goes on by itself, and can be saved.

    Raises:
        PlanError: the plan is not whole.
        RecoveryError: listing preserved parameters that the model or the optimizer does not have.

    Example:
        >>> import torch, suture
        >>> subject = suture.Subject(torch.nn.Linear(3, 2), (torch.zeros(5, 3),))
        >>> plan = suture.plan(suture.trace(subject), suture.trace(subject))
        >>> optimizer = torch.optim.SGD(subject.model.parameters(), lr=0.1)
        >>> warm_up(plan, optimizer, subject, Ramp(hold=100, over=50)).state_dict()
        {'step': 0}
    """
    from suture._torch import _recovering

    return _recovering.warm_up(plan, optimizer, model, ramp, within)


def pull(
    plan: Plan, optimizer: Any, model: Any, strength: float, ramp: Ramp, within: str = ""
) -> Pull:
    """Draw preserved entries back to where they are now, more and more weakly.

    Before each step `w` becomes `w - lr x strength x (1 - share) x (w - w0)`, with the learning
    rate of its group. For plain SGD that is the gradient of the penalty `strength/2 x |w - w0|²` on
    preserved entries. It is not added to gradients: adaptive optimizers would divide it by the size
    of the gradients (as Loshchilov and Hutter say of weight decay), and moments would remember it,
    so that it would not end where it is to end.

    Args:
        plan: which entries came from the source.
        optimizer: any of torch's or made like them, with a learning rate in each group.
        model: the new model, or its Subject, as it is after the transfer.
        strength: of the pull, from 0 on.
        ramp: how fast it goes: the pull is full while the ramp holds, and exactly 0 at its end.
            Until then it needs a copy of the preserved entries.
        within: what the names of the parameters begin with that this optimizer is for.

    Returns:
        What goes on by itself, and can be saved; the state holds the weights that it pulls to.

    Raises:
        PlanError: the plan is not whole.
        RecoveryError: the strength is negative, a group has no learning rate, or listing preserved
            parameters that the model or the optimizer does not have.

    Example:
        >>> import torch, suture
        >>> subject = suture.Subject(torch.nn.Linear(3, 2, bias=False), (torch.zeros(5, 3),))
        >>> plan = suture.plan(suture.trace(subject), suture.trace(subject))
        >>> optimizer = torch.optim.SGD(subject.model.parameters(), lr=0.1)
        >>> pull(plan, optimizer, subject, 0.5, Ramp(over=50)).state_dict()["anchors"].keys()
        dict_keys(['weight'])

    Source: L2-SP: Li, Grandvalet and Davoine, *Explicit Inductive Bias for Transfer Learning with
        Convolutional Networks* (2018), section 3. Apart from the gradient: Loshchilov and Hutter,
        *Decoupled Weight Decay Regularization* (2019), section 2.
    """
    from suture._torch import _recovering

    return _recovering.pull(plan, optimizer, model, strength, ramp, within)


def bound(
    plan: Plan, optimizer: Any, model: Any, most: float, ramp: Ramp, within: str = ""
) -> Bound:
    """Let fresh entries move by no more than some learning rates a step.

    An adaptive optimizer whose step counter is old and whose second moments are 0 in fresh entries
    makes first steps of several learning rates there: Adam with betas of 0.9 and 0.999 makes one of
    `0.1 / sqrt(0.001) = 3.16`. What goes beyond the bound is taken back after the step; moments are
    left alone.

    Args:
        plan: which entries did not come from the source.
        optimizer: any of torch's or made like them, with a learning rate in each group.
        model: the new model, or its Subject. Parameters that need no gradient are left out.
        most: how many learning rates of its group an entry may move by in a step, above 0.
        ramp: how fast it goes: the bound is `most / (1 - share)` learning rates, and there is none
            at its end.
        within: what the names of the parameters begin with that this optimizer is for.

    Returns:
        What goes on by itself, and can be saved.

    Raises:
        PlanError: the plan is not whole.
        RecoveryError: the bound is not above 0, a group has no learning rate, or listing fresh
            parameters that the model or the optimizer does not have.

    Example:
        >>> import torch, suture
        >>> old, new = (
        ...     suture.Subject(torch.nn.Linear(3, size), (torch.zeros(5, 3),)) for size in (2, 4)
        ... )
        >>> plan = suture.transfer(old, new)
        >>> optimizer = torch.optim.SGD(new.model.parameters(), lr=0.1)
        >>> held = bound(plan, optimizer, new, 1.0, Ramp(hold=100))
        >>> before = new.model.bias.detach().clone()
        >>> new.model.bias.grad = torch.full((4,), -5.0)
        >>> optimizer.step()
        >>> (new.model.bias.detach() - before).round(decimals=3)
        tensor([0.5000, 0.5000, 0.1000, 0.1000])

    Source: Adam's first step at an old count follows from algorithm 1 of Kingma and Ba, *Adam: A
        Method for Stochastic Optimization* (2015).
    """
    from suture._torch import _recovering

    return _recovering.bound(plan, optimizer, model, most, ramp, within)


def new_actions(
    plan: Plan, optimizer: Any, output: str, bias: float | Mapping[str, float], ramp: Ramp
) -> NewActions:
    """Let new actions be chosen little by little: a bias on their logits that is taken away.

    Args:
        plan: which actions are new, by the names of its output.
        optimizer: whose steps are counted.
        output: the output that holds the logits, as the schema calls it.
        bias: what is added at first: to the logits of all new actions, or full name -> number, such
            as `{"logits.brake": -5.0}`.
        ramp: how fast it goes: `bias x (1 - share)` is added, exactly nothing at its end.

    Returns:
        A function of logits, torch's or numpy's, of any leading dims. Old actions keep their bits.
        Its `onto(module)` runs it behind a module that returns the logits.

    Raises:
        RecoveryError: the plan has no such output, or listing names that are not new there.

    Example:
        >>> import numpy as np, torch, suture
        >>> def subject(actions):
        ...     model, schema = torch.nn.Linear(3, len(actions)), {"output": actions}
        ...     schema = suture.Schema(outputs=schema)
        ...     return suture.Subject(model, (torch.randn(5, 3),), schema=schema)
        >>> old, new = subject(["left", "right"]), subject(["left", "brake", "right"])
        >>> plan = suture.transfer(old, new)
        >>> optimizer = torch.optim.SGD(new.model.parameters(), lr=0.1)
        >>> bias = new_actions(plan, optimizer, "output", -8.0, Ramp(over=3))
        >>> for _ in range(4):
        ...     print(bias(np.zeros(3)))
        ...     optimizer.step()
        [ 0. -6.  0.]
        [ 0. -4.  0.]
        [ 0. -2.  0.]
        [0. 0. 0.]
    """
    from suture._torch import _introduced

    return _introduced.new_actions(plan, optimizer, output, bias, ramp)


def new_features(
    plan: Plan, optimizer: Any, input: str, closed: float | Mapping[str, float], ramp: Ramp
) -> NewFeatures:
    """Let new features be seen little by little: a gate that opens.

    Args:
        plan: which features are new, by the names of its input.
        optimizer: whose steps are counted.
        input: the input that holds the features, as the schema calls it.
        closed: what is seen instead while the gate is closed, such as a feature's mean: one number
            for all new features, or full name -> number, such as `{"obs.wind": 0.0}`.
        ramp: how fast it goes: `closed + share x (feature - closed)` is seen, and exactly the
            feature at its end.

    Returns:
        A function of observations, torch's or numpy's, of any leading dims. Old features keep their
        bits. Its `onto(module)` runs it before a module whose first argument they are.

    Raises:
        RecoveryError: the plan has no such input, or listing names that are not new there.

    Example:
        >>> import numpy as np, torch, suture
        >>> def subject(features):
        ...     model, schema = torch.nn.Linear(len(features), 2), {"input": features}
        ...     schema = suture.Schema(inputs=schema)
        ...     return suture.Subject(model, (torch.randn(5, len(features)),), schema=schema)
        >>> old, new = subject(["x", "v"]), subject(["x", "wind", "v"])
        >>> plan = suture.transfer(old, new)
        >>> optimizer = torch.optim.SGD(new.model.parameters(), lr=0.1)
        >>> gate = new_features(plan, optimizer, "input", 0.0, Ramp(hold=1, over=1))
        >>> for _ in range(3):
        ...     print(gate(np.ones(3)))
        ...     optimizer.step()
        [1. 0. 1.]
        [1.  0.5 1. ]
        [1. 1. 1.]
    """
    from suture._torch import _introduced

    return _introduced.new_features(plan, optimizer, input, closed, ramp)
