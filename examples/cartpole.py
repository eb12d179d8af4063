"""Change what a trained agent sees, and how wide it is, without losing its skill.

An agent learns to balance CartPole's pole seeing only the pole's angle and angular velocity. Then
two sensors join, the cart's position and velocity, placed around and in between the old ones, and
every hidden layer doubles its width. Three agents go on from there with the same budget of steps:

    surgery   the old agent, carried into the wider network by `suture.transfer`
    scratch   the wider network as it is initialised
    naive     the wider network, with those old tensors copied whose shapes still match

Each old agent and its three heirs have one seed, one set of hyperparameters and a fresh Adam state
(Suture does not carry optimizers over yet). Everything is trained while you wait.

    python examples/cartpole.py            # a minute or two on two cores
    python examples/cartpole.py --quick    # two rollouts, to see that it runs
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any

import gymnasium as gym
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
import typer
from matplotlib.axes import Axes
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.policies import ActorCriticPolicy

import suture

Array = NDArray[np.floating[Any]]


# --- what changes


@dataclass(frozen=True, slots=True)
class Design:
    """What an agent sees, in this order, and how many units each of its hidden layers has."""

    sensors: tuple[str, ...]
    width: int


OLD = Design(("pole_angle", "pole_velocity"), width=32)
NEW = Design(("cart_position", "pole_angle", "cart_velocity", "pole_velocity"), width=64)


# --- how it is trained and judged

CARTPOLE = ("cart_position", "cart_velocity", "pole_angle", "pole_velocity")
ENVS = 8  # side by side in training
ROLLOUT = 2048  # steps between two updates, and between two evaluations
EPISODES = 20  # of an evaluation: the same starts for everybody, the likeliest action each time
GOOD = 475.0  # where CartPole-v1 counts as solved; an episode ends at 500

PPO_SETTINGS: dict[str, Any] = {
    "n_steps": ROLLOUT // ENVS,
    "batch_size": 512,
    "n_epochs": 20,
    "learning_rate": 1e-3,
    "clip_range": 0.1,
}


@dataclass(frozen=True, slots=True)
class Budget:
    """Which seeds are run, and for how many steps before and after the change."""

    seeds: tuple[int, ...]
    before: int
    after: int


FULL = Budget(seeds=(1, 2, 3, 4), before=5 * ROLLOUT, after=14 * ROLLOUT)
QUICK = Budget(seeds=(1, 2), before=ROLLOUT, after=ROLLOUT)


class Sensors(gym.ObservationWrapper[Array, int, Array]):
    """Show only some of CartPole's observations, in the order asked for."""

    def __init__(self, env: gym.Env[Array, int], sensors: tuple[str, ...]) -> None:
        super().__init__(env)
        self.columns = columns(sensors)
        full = env.observation_space
        assert isinstance(full, gym.spaces.Box)
        self.observation_space = gym.spaces.Box(full.low[self.columns], full.high[self.columns])

    def observation(self, observation: Array) -> Array:
        """Pick the sensors' columns."""
        return observation[self.columns]


def columns(sensors: tuple[str, ...]) -> list[int]:
    return [CARTPOLE.index(sensor) for sensor in sensors]


def build(design: Design, seed: int) -> PPO:
    """Make an untrained agent and its environments."""
    envs = make_vec_env(lambda: Sensors(gym.make("CartPole-v1"), design.sensors), ENVS, seed=seed)
    layers = {"net_arch": [design.width, design.width]}
    return PPO("MlpPolicy", envs, seed=seed, device="cpu", policy_kwargs=layers, **PPO_SETTINGS)


@torch.no_grad()
def evaluate(agent: PPO, design: Design) -> float:
    """Return the mean return of the agent's likeliest actions, all episodes side by side."""
    envs = gym.make_vec("CartPole-v1", EPISODES, vectorization_mode="vector_entry_point")
    seen, _ = envs.reset(seed=0)
    alive, returns = np.ones(EPISODES, dtype=bool), np.zeros(EPISODES)
    while alive.any():
        obs = torch.as_tensor(seen[:, columns(design.sensors)])
        likeliest = reach(agent.policy, obs)["logits"].argmax(dim=1)
        seen, _, fallen, over, _ = envs.step(likeliest.numpy())
        returns += alive
        alive &= ~(fallen | over)
    return float(returns.mean())


def train(agent: PPO, design: Design, steps: int, tick: Callable[[int], None]) -> Array:
    """Train, and return the evaluations: one before the first rollout and one after each."""
    curve = [evaluate(agent, design)]
    for done in range(ROLLOUT, steps + 1, ROLLOUT):
        agent.learn(ROLLOUT, reset_num_timesteps=False)
        curve.append(evaluate(agent, design))
        tick(done)
    return np.array(curve)


# --- the three ways over


def reach(policy: ActorCriticPolicy, obs: torch.Tensor) -> dict[str, torch.Tensor]:
    """Compute what the policy computes before it samples: its `forward` returns a random action."""
    for_actor, for_critic = policy.mlp_extractor(policy.extract_features(obs))
    return {"logits": policy.action_net(for_actor), "value": policy.value_net(for_critic)}


def subject(agent: PPO, design: Design) -> suture.Subject:
    """Say how the agent's network runs, and what its inputs and outputs are called."""
    schema = suture.Schema(
        inputs={"obs": design.sensors},
        outputs={"logits": ["left", "right"], "value": ["return"]},
    )
    obs = torch.zeros(5, len(design.sensors))
    return suture.Subject(agent.policy, (obs,), schema=schema, call=reach)


def surgery(old: PPO, new: PPO) -> None:
    suture.transfer(subject(old, OLD), subject(new, NEW))


def scratch(old: PPO, new: PPO) -> None:
    """Leave the new agent as it is."""


def naive(old: PPO, new: PPO) -> None:
    """Copy the tensors whose shapes match: here the biases of the two output layers, 3 numbers."""
    theirs, ours = old.policy.state_dict(), new.policy.state_dict()
    fitting = {name: theirs[name] for name in ours if theirs[name].shape == ours[name].shape}
    new.policy.load_state_dict(ours | fitting)


ARMS = {"surgery": surgery, "scratch": scratch, "naive": naive}


# --- all seeds, two at a time


@dataclass(frozen=True, slots=True)
class SeedRun:
    """What one seed gave.

    Attributes:
        curves: "old" or an arm -> mean returns, one before training and one after each rollout.
        differences: arm -> how far its outputs, before training, are from the old agent's on random
            world states, relative to the largest.
    """

    curves: dict[str, Array]
    differences: dict[str, float]


Steps = MutableMapping[tuple[str, int], int]
"""How far each (arm, seed) is, written by the workers and read by the progress bars."""


def run_seed(seed: int, budget: Budget, plan: suture.Plan, steps: Steps) -> SeedRun:
    """Train one old agent, then its heirs."""
    old = build(OLD, seed)
    tick = partial(steps.__setitem__, ("old", seed))
    run = SeedRun({"old": train(old, OLD, budget.before, tick)}, {})
    for arm, carry in ARMS.items():
        new = build(NEW, seed)
        carry(old, new)
        report = suture.verify(plan, subject(old, OLD), subject(new, NEW), states=100)
        run.differences[arm] = report.max_rel_diff
        tick = partial(steps.__setitem__, (arm, seed))
        run.curves[arm] = train(new, NEW, budget.after, tick)
    return run


def run_all(budget: Budget, plan: suture.Plan) -> list[SeedRun]:
    """Train all seeds in two processes of one thread each, and show how far they are."""
    spawn = get_context("spawn")
    pool = ProcessPoolExecutor(2, spawn, initializer=torch.set_num_threads, initargs=(1,))
    with pool, spawn.Manager() as manager, bars() as progress:
        steps = manager.dict()
        runs = [pool.submit(run_seed, seed, budget, plan, steps) for seed in budget.seeds]
        totals = {"old": budget.before} | dict.fromkeys(ARMS, budget.after)
        tasks = {
            arm: progress.add_task(arm, total=total * len(runs)) for arm, total in totals.items()
        }
        pending = set(runs)
        while pending:
            _, pending = wait(pending, timeout=0.2)
            for arm, task in tasks.items():
                done = sum(steps.get((arm, seed), 0) for seed in budget.seeds)
                progress.update(task, completed=done)
    return [run.result() for run in runs]


def bars() -> Progress:
    return Progress(
        TextColumn("{task.description:<8}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


# --- what came out


def stacked(runs: list[SeedRun], arm: str) -> Array:
    """Stack the curves of one arm: seeds × evaluations."""
    return np.stack([run.curves[arm] for run in runs])


def area(curves: Array) -> Array:
    """Integrate each curve by trapezoids, per step: a mean return over the whole budget."""
    return np.asarray(np.trapezoid(curves) / (curves.shape[-1] - 1))


def steps_to(curves: Array, good: float) -> Array:
    """Count the steps until each curve first reaches `good`; infinite where it never does."""
    reached = curves >= good
    return np.where(reached.any(axis=-1), ROLLOUT * reached.argmax(axis=-1), np.inf)


def spread(values: Array) -> str:
    return f"{values.mean():.0f} ± {values.std():.0f}"


def thousands(steps: Array) -> str:
    return f"{np.median(steps) / 1000:.0f}k" if np.isfinite(np.median(steps)) else "never"


def table(runs: list[SeedRun]) -> Table:
    """Set the arms side by side."""
    shown = Table(
        title=f"Returns after the change, mean ± deviation over {len(runs)} seeds",
        caption=f"The old agents ended at {spread(stacked(runs, 'old')[:, -1])}.",
    )
    shown.add_column("")
    for heading in ("difference", "right after", "area / steps", "end", f"to {GOOD:.0f}"):
        shown.add_column(heading, justify="right")
    for arm in ARMS:
        curves = stacked(runs, arm)
        shown.add_row(
            arm,
            f"{max(run.differences[arm] for run in runs):.0e}",
            spread(curves[:, 0]),
            spread(area(curves)),
            spread(curves[:, -1]),
            thousands(steps_to(curves, GOOD)),
        )
    return shown


def verdict(runs: list[SeedRun]) -> str:
    """Say whether surgery won, seed by seed."""
    areas = {arm: area(stacked(runs, arm)) for arm in ARMS}
    wins = int((areas["surgery"] > np.maximum(areas["scratch"], areas["naive"])).sum())
    if 2 * wins > len(runs):
        return f"Surgery had the largest area in {wins} of {len(runs)} seeds."
    return f"Surgery did NOT beat the others: largest area in only {wins} of {len(runs)} seeds."


def fine_print(runs: list[SeedRun], budget: Budget) -> str:
    """Say what the comparison does and does not show."""
    charged = thousands(steps_to(stacked(runs, "surgery"), GOOD) + budget.before)
    alone = thousands(steps_to(stacked(runs, "scratch"), GOOD))
    return f"""\
difference   of the outputs from the old agent's before training, relative to the largest,
             for random values of all sensors (worst seed)
area         under the learning curve, per step: the mean return over the budget
to {GOOD:.0f}       steps after the change to the first evaluation that good (median)

Every arm had {budget.after:,} steps after the change, the same seeds and settings, and a fresh
Adam state. The old agent's {budget.before:,} steps came before: they are spent in any case, but
only surgery makes use of them. Charged with them, it reaches {GOOD:.0f} after {charged} steps,
scratch after {alone}."""


# --- the picture

PICTURE = Path(__file__).parent / "output" / "cartpole.png"
COLOURS = {"old": "#666666", "surgery": "#0072b2", "scratch": "#d55e00", "naive": "#009e73"}


def draw(runs: list[SeedRun], budget: Budget, picture: Path) -> None:
    """Draw all learning curves over the steps since the change."""
    mpl.use("Agg")
    figure, axes = plt.subplots(figsize=(9, 5), dpi=150, layout="constrained")
    draw_curve(axes, "old", stacked(runs, "old"), -budget.before, "old agent, 2 sensors")
    for arm in ARMS:
        draw_curve(axes, arm, stacked(runs, arm), 0, arm)
    ahead = stacked(runs, "scratch").mean(axis=0)
    since = ROLLOUT * np.arange(len(ahead)) - budget.before
    label = "scratch, had it had all 4 sensors\nwhile the old agent trained"
    axes.plot(since, ahead, ":", color=COLOURS["scratch"], linewidth=1.3, label=label)
    mark_change(axes)
    axes.set(
        title=f"CartPole: 2 → 4 sensors, hidden layers {OLD.width} → {NEW.width} units",
        xlabel="environment steps since the change",
        ylabel=f"mean return of {EPISODES} episodes",
        ylim=(0, 520),
        xlim=(-budget.before, budget.after),
    )
    axes.legend(loc="lower right", frameon=False, title=f"mean and range of {len(runs)} seeds")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture)


def draw_curve(axes: Axes, arm: str, curves: Array, start: int, label: str) -> None:
    steps = start + ROLLOUT * np.arange(curves.shape[1])
    axes.plot(steps, curves.mean(axis=0), color=COLOURS[arm], linewidth=2, label=label)
    axes.fill_between(
        steps, curves.min(axis=0), curves.max(axis=0), color=COLOURS[arm], alpha=0.15, linewidth=0
    )


def mark_change(axes: Axes) -> None:
    axes.axvline(0, color="black", linestyle="--", linewidth=1)
    text, offset = "surgery: sensors join,\nlayers widen", (-6, 0)
    axes.annotate(text, (0, 12), offset, ha="right", textcoords="offset points")
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_formatter(lambda steps, _: f"{steps / 1000:.0f}k")


# --- from top to bottom


def main(*, quick: bool = False, picture: Path = PICTURE) -> None:
    """Plan, train, compare and draw."""
    started, budget = perf_counter(), QUICK if quick else FULL
    before, after = subject(build(OLD, 0), OLD), subject(build(NEW, 0), NEW)
    plan = suture.plan(suture.trace(before), suture.trace(after))
    print(plan)
    print("\nThat is the plan; it needs no trained weights. Now the agents train.\n", flush=True)

    runs = run_all(budget, plan)
    console = Console()
    console.print(table(runs), verdict(runs), "", sep="\n", highlight=False)
    print(fine_print(runs, budget))
    draw(runs, budget, picture)
    print(f"\n{picture}  ({perf_counter() - started:.0f} s)")


if __name__ == "__main__":
    typer.run(main)
