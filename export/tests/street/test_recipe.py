"""recipe.toml: followed to the letter, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_export.street.recipe import RecipeError, read_recipe
from tests.conftest import ROOT

OWN = ROOT / "models" / "street-nano" / "recipe.toml"


def test_read_recipe_of_street_nano() -> None:
    recipe = read_recipe(OWN)
    assert recipe.name == "street-nano" and recipe.architecture.width == 416
    assert recipe.simulation.first_seed >= 1000


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("seed = 20", "sead = 20", r"sead: unknown key|seed: missing"),
        ("seed = 20", "seed = true", "seed: expected int, found True"),
        ("neck = 48", 'neck = "48"', "architecture.neck: expected int"),
        ("height = 256", "height = 250", "416×250 is no multiple of 32"),
        ("depths = [1, 2, 1]", "depths = [1, 2]", "expected 3 numbers in stages and in depths"),
        ("first_seed = 1000", "first_seed = 7", "seeds below 1000"),
        ("simulated = 0.0", "simulated = 1.5", "a share of 0 to 1, found 1.5"),
    ],
)
def test_read_recipe_with_a_mistake_names_key_and_file(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = OWN.read_text()
    assert old in text
    (tmp_path / "recipe.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(RecipeError, match=rf"recipe\.toml: .*({told})"):
        read_recipe(tmp_path / "recipe.toml")


def test_read_recipe_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="No such file"):
        read_recipe(tmp_path / "recipe.toml")
