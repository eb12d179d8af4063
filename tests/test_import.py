"""What `import suture` may ask of the machine."""

import subprocess
import sys

IMPORT_WITHOUT_FRAMEWORKS = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "jax", "flax", "tensorflow"}:
            raise ModuleNotFoundError(f"{name} is blocked", name=name)

sys.meta_path.insert(0, Blocker())
import suture
loaded = {"torch", "jax", "flax", "tensorflow"} & set(sys.modules)
sys.exit(f"imported {sorted(loaded)}" if loaded else 0)
"""


def test_machine_without_any_framework() -> None:
    """`import suture` succeeds, without a warning, and loads no framework."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_WITHOUT_FRAMEWORKS],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_machine_with_torch() -> None:
    """`import suture` loads neither torch nor what is built upon it, where it could."""
    heavy = {"torch", "stable_baselines3", "gymnasium"}
    program = f"import sys, suture; sys.exit(bool({heavy} & sys.modules.keys()))"
    run = subprocess.run([sys.executable, "-c", program], check=False)
    assert run.returncode == 0
