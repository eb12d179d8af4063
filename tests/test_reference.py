"""References: how far a text leads, and what is said where it leads nowhere."""

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from drivers import MODELS
from suture._reference import LoadError, load


@pytest.fixture(autouse=True)
def _beside_the_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a folder that holds `models.py`."""
    monkeypatch.chdir(tmp_path)
    Path("models.py").write_text(MODELS)


def said(text: str) -> str:
    return dedent(text).strip()


@pytest.mark.parametrize("reference", ["models.py:old", "./models.py:old", "models:old"])
def test_a_file_and_a_module_lead_to_the_same_function(reference: str) -> None:
    """The subject is the one that the function returned."""
    assert load(reference).args[0].shape == (5, 2)


REFUSED = {
    "models.py": """
        'models.py' does not say which function to call.

        hint: write path/to/file.py:function or package.module:function
        """,
    "modls.py:old": """
        There is no file 'modls.py'.

        hint: did you mean 'models.py'?
        """,
    "modls:old": """
        There is no module 'modls'.

        hint: did you mean 'models'?
        """,
    "models.py:odl": """
        'models.py' has no function 'odl'.
          has      driver, old, new, bent, turned, elsewhere, sized, broken, number

        hint: did you mean 'old'?
        """,
    "models:WIDTH": """
        'WIDTH' in 'models' is of type int, not a function.

        hint: name a function that returns a Subject
        """,
    "models.py:sized": """
        'models.py:sized' is called without arguments.
          needs    width

        hint: give them defaults, or name a function that fills them in
        """,
    "models.py:number": """
        'models.py:number' returned int, not Subject.

        hint: return suture.Subject(model, args)
        """,
}


@pytest.mark.parametrize("reference", REFUSED)
def test_a_reference_that_leads_nowhere(reference: str) -> None:
    """The error says how far the reference led and what was probably meant."""
    with pytest.raises(LoadError) as caught:
        load(reference)
    assert str(caught.value) == said(REFUSED[reference])


def test_a_script_that_exits() -> None:
    """Its exit does not pass for the end of the program."""
    Path("script.py").write_text("import sys\nsys.exit(0)\n")
    with pytest.raises(LoadError) as caught:
        load("script.py:main")
    refused = """
        'script.py:main' ended the program.

        hint: keep what a script does behind `if __name__ == "__main__":`
        """
    assert str(caught.value) == said(refused)


def test_a_module_that_imports_in_vain() -> None:
    """What it lacks is its own error, not a reference that leads nowhere."""
    Path("hungry.py").write_text("import no_such_package\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        load("hungry:main")


def test_two_versions_that_share_file_names() -> None:
    """Each version imports the file beside it, and no module stays behind."""
    for version, width in (("v1", 3), ("v2", 7)):
        Path(version).mkdir()
        Path(version, "sizes.py").write_text(f"WIDTH = {width}\n")
        Path(version, "net.py").write_text(
            "import sizes\nfrom models import driver\n"
            "def net():\n    return driver(['x', 'v'], ['a'], sizes.WIDTH)\n"
        )
        Path(version, "models.py").write_text(MODELS)
    known, path = set(sys.modules), list(sys.path)
    widths = [load(f"{version}/net.py:net").model[0].out_features for version in ("v1", "v2")]
    assert widths == [3, 7]
    assert {"net", "sizes", "models"}.isdisjoint(set(sys.modules) - known)
    assert sys.path == path
