"""recipe.toml: followed to the letter, or refused."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import tomlkit

from edge_export.street.recipe import FIRST_SEED, RecipeError, read_recipe
from tests.conftest import ROOT

OWN = ROOT / "models" / "street-nano" / "recipe.toml"


def test_read_recipe_of_street_nano() -> None:
    recipe = read_recipe(OWN)
    document = tomlkit.parse(OWN.read_text()).unwrap()
    assert recipe.name == "street-nano"
    assert dataclasses.asdict(recipe.architecture) == {key: tuple(v) if isinstance(v, list) else v for key, v in document["architecture"].items()}
    assert [phase.name for phase in recipe.phases] == [phase["name"] for phase in document["phases"]]
    assert recipe.simulation.first_seed >= FIRST_SEED


@pytest.mark.parametrize(
    ("key", "line", "told"),
    [
        ("seed", "sead = 20", r"sead: unknown key|seed: missing"),
        ("seed", "seed = true", "seed: expected int, found True"),
        ("neck", 'neck = "48"', "architecture.neck: expected int"),
        ("height", "height = 250", r"\d+×250 is no multiple of 32"),
        ("depths", "depths = [1, 2]", "expected 3 numbers in stages and in depths"),
        ("validate_every", "validate_every = 0", "expected 1 or more steps, found 0"),
        ("first_seed", "first_seed = 7", f"seeds below {FIRST_SEED}"),
        ("worlds", "worlds = 0", "1 or more worlds and pictures, found 0 and"),
        ("simulated", "simulated = 1.5", "a share of 0 to 1, found 1.5"),
        ("batch", "batch = 31", "an even number.*found 31"),
        ("batch", "batch = 0", "an even number.*found 0"),
        ("steps", "steps = 0", "1 or more, found 0"),
    ],
)
def test_read_recipe_with_a_mistake_names_key_and_file(tmp_path: Path, key: str, line: str, told: str) -> None:
    text, changed = re.subn(rf"^{key} = .*$", line, OWN.read_text(), count=1, flags=re.MULTILINE)
    assert changed
    (tmp_path / "recipe.toml").write_text(text)
    with pytest.raises(RecipeError, match=rf"recipe\.toml: .*({told})"):
        read_recipe(tmp_path / "recipe.toml")


def test_read_recipe_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="No such file"):
        read_recipe(tmp_path / "recipe.toml")
