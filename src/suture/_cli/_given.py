"""What commands are given: models, files, and what is said of them.

Knows how each is called on a command line, and its help. Does not know what is done with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Source = Annotated[str, typer.Argument(metavar="SOURCE", help="The trained model.")]
Target = Annotated[str, typer.Argument(metavar="TARGET", help="The changed model.")]
Models = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE TARGET",
        help="The trained model, left out with --source-checkpoint, and the changed one.",
    ),
]
PlanFile = Annotated[Path, typer.Argument(metavar="PLAN", help="What `suture plan -o` wrote.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the output.")]

# --- plan

Output = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="PLAN", help="Write the plan here.")
]
Rename = Annotated[
    list[str] | None,
    typer.Option(
        "--rename",
        metavar="REGEX=NAME",
        help="Replace this in the names of the source's tensors; may be repeated.",
    ),
]
Constant = Annotated[
    list[str] | None,
    typer.Option(
        "--constant",
        metavar="NAME=VALUE",
        help="Fold a feature that is gone and always was this; may be repeated.",
    ),
]
Mean = Annotated[
    list[str] | None,
    typer.Option(
        "--mean",
        metavar="NAME=VALUE",
        help="Fold a feature that is gone at its mean, an approximation; may be repeated.",
    ),
]
Rescaled = Annotated[
    list[str] | None,
    typer.Option(
        "--rescaled",
        metavar="NAME=SCALE[,SHIFT]",
        help="Undo that a feature is scale x the old one + shift; may be repeated.",
    ),
]
Fill = Annotated[
    list[str] | None,
    typer.Option(
        "--fill",
        metavar="POLICY[,NOISE]|NAME=START",
        help="How what is fresh begins: exact, own, zeros or replicate (copies, with noise); or "
        "how a new output or category does: a number (its bias), own, mean, or the name of an old "
        "one. May be repeated.",
    ),
]
SourceCheckpoint = Annotated[
    Path | None,
    typer.Option(
        "--source-checkpoint",
        metavar="OLD",
        help="Derive the trained model from TARGET and the shapes in this checkpoint.",
    ),
]
SourceSchema = Annotated[
    str | None,
    typer.Option(
        "--source-schema",
        metavar="REF",
        help="With --source-checkpoint: a function that returns the old suture.Schema.",
    ),
]
Size = Annotated[
    list[str] | None,
    typer.Option(
        "--size",
        metavar="'TENSOR dim N=4x8'",
        help="With --source-checkpoint: what its shapes do not tell; may be repeated.",
    ),
]

# --- apply

OldFile = Annotated[Path, typer.Argument(metavar="OLD", help="The trained checkpoint.")]
NewFile = Annotated[
    Path, typer.Option("-o", "--output", metavar="NEW", help="Write the new checkpoint here.")
]
Fresh = Annotated[
    Path | None,
    typer.Option(
        "--fresh", metavar="CHECKPOINT", help="The changed model's weights as initialised."
    ),
]
Fitting = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="TARGET",
        help="The changed model itself: initialised with --seed, and what its format says of it.",
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        min=0,
        max=2**32 - 1,
        help="With --target: what it is initialised from, or 0.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Check all but entries, which are looked at on their way, and write nothing.",
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        metavar="KEYPATH",
        help="Which weights are meant in a file of torch that holds several.",
    ),
]
NewFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="Write the weights alone, as safetensors, torch or npz; the old format if not given.",
    ),
]
ResetOptimizer = Annotated[
    bool, typer.Option("--reset-optimizer", help="Leave the states of optimizers out.")
]
Normalized = Annotated[
    tuple[Path, Path] | None,
    typer.Option(
        "--vec-normalize",
        metavar="OLD NEW",
        help="What VecNormalize saved beside an agent, and where to write it for the new one.",
    ),
]
AllowNan = Annotated[
    bool, typer.Option("--allow-nan", help="Write entries that are not numbers, too.")
]

# --- verify

SourceWeights = Annotated[
    Path | None,
    typer.Option("--source-weights", metavar="OLD", help="Weights for SOURCE, from a checkpoint."),
]
TargetWeights = Annotated[
    Path | None,
    typer.Option(
        "--target-weights",
        metavar="NEW",
        help="Weights for TARGET, from a checkpoint, instead of carrying SOURCE's over.",
    ),
]
