"""What a `sim:` URL says, and everything that can be wrong with one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import Unsupported
from edge_runtime.sources import SourceSpec, is_live, is_simulated, make_source, street_options
from edge_runtime.sources.sim.options import LOAD, SCENES, WEATHERS, BadUrl, LoadOptions, SimOptions, is_load, parse_sim
from edge_runtime.sources.sim.scenes import SCENES as BUILT
from edge_runtime.types import Size


def test_scenes_that_a_url_may_name_are_those_that_are_built() -> None:
    assert set(SCENES) == set(BUILT)
    assert LOAD not in BUILT


@pytest.mark.parametrize("scene", SCENES)
def test_parse_sim_of_a_scene_alone_is_its_defaults(scene: str) -> None:
    assert parse_sim(f"sim:{scene}") == parse_sim(f"SIM:{scene}") == SimOptions(scene=scene)


def test_parse_sim_reads_every_option() -> None:
    url = "sim:road?seed=7&density=1.5&weather=night-rain&size=640x360&fps=12.5&shake=0.5&noise=3&seconds=5"
    assert parse_sim(url) == SimOptions(
        scene="road", seed=7, density=1.5, weather="night-rain", size=Size(640, 360), fps=12.5, shake=0.5, noise=3.0, seconds=5.0
    )
    assert parse_sim("sim:load?rate=20000") == LoadOptions(rate=20000)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sim:", "the scene is missing: expected sim:junction"),
        ("sim:?seed=1", "the scene is missing"),
        ("sim:juncton", 'no scene "juncton": did you mean "junction"?'),
        ("sim:zzz", "expected one of junction, road, footpath, load"),
        ("sim://road", 'write "sim:road"'),
        ("sim:road?sed=1", 'no option "sed": did you mean "seed"?'),
        ("sim:road?rate=5", 'no option "rate": expected one of seed, density'),
        ("sim:load?density=2", 'no option "density": expected one of rate'),
        ("sim:road?seed=1&seed=2", "seed is given twice"),
        ("sim:road?seed", "seed without a value: expected seed=…"),
        ("sim:road?seed=", "seed without a value"),
        ("sim:road?", "an empty option"),
        ("sim:road?seed=1.5", "seed=1.5: expected a whole number, 0 to"),
        ("sim:road?seed=-1", "seed=-1: expected a whole number"),
        ("sim:road?seed=2147483648", "expected a whole number"),
        ("sim:road?density=0", "density=0: expected a number, 0.1 to 3"),
        ("sim:road?density=nan", "density=nan: expected a number"),
        ("sim:road?density=1e0", "density=1e0: expected a number"),
        ("sim:road?weather=dask", 'weather=dask: did you mean "dusk"?'),
        ("sim:road?size=641x360", "size=641x360: expected WIDTHxHEIGHT such as 1280x720, both even, 160x90 to 3840x2160"),
        ("sim:road?size=640", "size=640: expected WIDTHxHEIGHT"),
        ("sim:road?size=8000x4000", "size=8000x4000: expected"),
        ("sim:road?fps=0.5", "fps=0.5: expected a number, 1 to 120 pictures/s"),
        ("sim:road?shake=4", "shake=4: expected a number, 0 to 3 pixels"),
        ("sim:road?noise=21", "noise=21: expected a number, 0 to 20 levels"),
        ("sim:road?seconds=0", "seconds=0: expected a number, 0.1 to 86400 s"),
        ("sim:load?rate=0", "rate=0: expected a number, 0.1 to 50000 events/s"),
    ],
)
def test_parse_sim_says_what_was_expected(url: str, says: str) -> None:
    with pytest.raises(BadUrl) as caught:
        parse_sim(url)
    (fault,) = caught.value.faults
    assert says in fault
    assert str(caught.value).startswith(f"{url}: ")


def test_parse_sim_finds_everything_at_once() -> None:
    with pytest.raises(BadUrl) as caught:
        parse_sim("sim:raod?seed=x&weather=hail&fsp=3&density=9")
    assert len(caught.value.faults) == 5


@given(st.text(max_size=80))
def test_parse_sim_of_any_text_is_options_or_faults_that_can_be_shown(text: str) -> None:
    try:
        parsed = parse_sim(f"sim:{text}")
    except BadUrl as error:
        assert error.faults
        assert all(fault and len(fault) < 400 and fault.isprintable() for fault in error.faults)
    else:
        assert isinstance(parsed, (SimOptions, LoadOptions))


@given(
    seed=st.integers(0, 2**31 - 1),
    density=st.integers(10, 300).map(lambda n: n / 100),
    weather=st.sampled_from(WEATHERS),
    size=st.tuples(st.integers(80, 1920), st.integers(45, 1080)),
    order=st.randoms(use_true_random=False),
)
def test_parse_sim_does_not_care_for_the_order_of_options(seed: int, density: float, weather: str, size: tuple[int, int], order: object) -> None:
    pairs = [f"seed={seed}", f"density={density}", f"weather={weather}", f"size={2 * size[0]}x{2 * size[1]}"]
    order.shuffle(pairs)  # type: ignore[attr-defined]
    expected = SimOptions(scene="junction", seed=seed, density=density, weather=weather, size=Size(2 * size[0], 2 * size[1]))
    assert parse_sim("sim:junction?" + "&".join(pairs)) == expected


def test_sim_is_a_source_of_its_own_kind() -> None:
    assert not is_live("sim:road")
    assert is_simulated("sim:road")
    assert not is_simulated("road.mp4")
    assert not is_simulated("rtsp://h/x")
    assert is_load("sim:load?rate=5")
    assert not is_load("sim:road?rate=5")
    assert not is_load("load")
    with pytest.raises(Unsupported, match="expected a street"):
        street_options("sim:load?rate=5")
    with pytest.raises(BadUrl, match="no scene"):
        make_source(SourceSpec(name="x", url="sim:nowhere"))
