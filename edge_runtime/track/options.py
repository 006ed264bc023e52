"""What the tracker believes about the street before it has seen anything. Nothing here is fitted to footage.

Time is in seconds and distance in "sizes" (the geometric mean of a box's sides), so that the numbers hold for any frame rate, resolution and
distance. A car is about 2.2 m in this measure, a pedestrian 0.9 m, a bus 5 m. Counts must not hang on any of these numbers: the benchmark
`tests/benchmarks/track_sensitivity.py` changes each by a third.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerOptions:
    """Beliefs and bounds. Scores are the camera's own settings, the rest has a reason beside it."""

    min_score: float = 0.3  # what starts a track
    track_floor: float = 0.1  # what may go on with one

    # -- motion -----------------------------------------------------------------------------------------------------------
    acceleration: float = 1.0
    """Sizes/s² that velocity wanders within a second (its random walk: sizes·s^-3/2). Braking and pulling off, 2–3 m/s², are about one car size."""
    speed: float = 2.0
    """Sizes/s: how fast the unknown moves, one standard deviation along an axis. A car at 15 km/h; one at 60 is four deviations off, still found."""
    growth: float = 0.3
    """e-folds/s^½ by which a side may change: half a second from broadside to head-on is a factor of two, three deviations."""
    box_noise: float = 0.05
    """Error of a box's centre, in its own sides; a side's own error is twice that. Boxes that overlap by 0.8 differ by this much."""
    grain: float = 1.0
    """...and in pixels of the detector's input: what it cannot resolve. Boxes of 5 to 80 such pixels were wrong by 0.8–1.3 of them, large or small
    (street-nano, 19,000 boxes of a simulated street, whose truth is exact): for its size a far pedestrian's place is ten times vaguer than a
    lorry's."""

    # -- association ------------------------------------------------------------------------------------------------------
    tails: float = 4.0
    """Degrees of freedom of the error (Student's t): now and then a box jumps to a part of the object, or takes its neighbour along."""
    new_density: float = 0.005
    """Objects a frame that no track explains, a square size and e-fold²: one or two new ones in a picture of some two hundred squares."""
    detected: float = 0.8
    """Chance that an object that had a box in the frame before has one of min_score or more in this."""
    regained: float = 0.3
    """Chance that one that had none has: it may be gone, hidden, or was never there."""
    detected_faint: float = 0.1
    """Chance that it has only a box between track_floor and min_score."""
    faint_density: float = 0.25
    """Such boxes that are nothing, or parts of things: as dense as the traffic itself."""
    fade_s: float = 0.8
    """A lost object shows again with a chance that falls by e in this time: what overtakes it at about one size a second has passed by then."""
    flicker: float = 0.14
    """Least chance that an object known as one label is read as another: one reading in seven between car, van, truck and bus is wrong."""

    # -- life -------------------------------------------------------------------------------------------------------------
    confirm_s: float = 0.08
    """A track is believed after two sightings this far apart: what a detector makes up lasts a frame or two at 30 frames/s, as noise does."""
    steady: float = 0.5
    """...and seen in this share of its frames: chance puts a box near any place now and then, an object is seen more often than not."""
    tentative_s: float = 0.5
    """How long one that is not believed yet is remembered: two frames at 5 frames/s may miss it."""
    memory_s: float = 2.0
    """How long a believed one is: after two seconds its place is uncertain by 1.6 sizes (acceleration·√(t³/3)): there its neighbours drive."""
    parked_s: float = 3.0
    """Having stayed within a quarter of its size for so long, an object is parked: queues at a light are too, and may be treated alike."""
    parked_memory_s: float = 60.0
    """How long a parked one is remembered, where it stood: buses stop for less than a minute in front of it."""
    duplicate: float = 0.6
    """Overlap with a tracked object above which a box is that object again: people labelled no two objects above 0.6, rider and bicycle least."""
    part: float = 0.7
    """Share of a box that must lie within a tracked object to be taken for a part of it (a windscreen, half a car beside a pole)."""
    alike: float = 0.05
    """...of an object that has been read as the same label in one of twenty readings at least: a person before a car is no part of it."""

    # -- bounds -----------------------------------------------------------------------------------------------------------
    max_tracks: int = 256
    flow_samples: int = 1024

    @property
    def apart(self) -> float:
        """Price of leaving a track without a box and a box without a track. See `_price`."""
        return _price(self.new_density, self.detected)

    @property
    def lost(self) -> float:
        """What a pair costs more when its track had no box in the frame before."""
        return _price(self.new_density, self.detected) - _price(self.new_density, self.regained)

    @property
    def apart_faint(self) -> float:
        """The same among boxes below min_score."""
        return _price(self.faint_density, self.detected_faint)


def _price(density: float, chance: float) -> float:
    """-2 ln of the likelihood ratio at which "this box is that track" and "the track was missed, the box is something else" are even.

    chance · N(z; S) = density · (1 − chance) with the four-dimensional normal N = exp(−d²/2) / ((2π)² √|S|), so that a pair is the better
    explanation where d² + ln|S| < −2 ln(density · (1 − chance) / chance · (2π)²).
    """
    return -2 * math.log(density * (1 - chance) / chance * (2 * math.pi) ** 2)
