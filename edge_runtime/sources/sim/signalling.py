"""Which lamps of the traffic lights burn, and where the camera sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_runtime.sources.sim.furniture import lamp_heights
from edge_runtime.sources.sim.lights import Lamp
from edge_runtime.sources.sim.projection import Camera
from edge_runtime.sources.sim.street import SignalHead

_COLORS = {"red": (40.0, 40.0, 255.0), "amber": (20.0, 170.0, 255.0), "green": (150.0, 250.0, 70.0)}


class Signalling:
    """The heads that show their face to a camera."""

    def __init__(self, heads: Sequence[SignalHead], camera: Camera) -> None:
        eye = camera.view.eye
        self._heads = [head for head in heads if (eye[0] - head.at[0]) * head.facing[0] + (eye[1] - head.at[1]) * head.facing[1] > 0]

    def lamps(self, signals: Mapping[str, str]) -> list[Lamp]:
        """The lamps that burn; a head without a state is dark."""
        burning = []
        for head in self._heads:
            color = signals.get(head.name)
            high = lamp_heights(head).get(color) if color is not None else None
            if high is not None and color is not None:
                at = (head.at[0] + head.facing[0] * 0.45, head.at[1] + head.facing[1] * 0.45, high)
                burning.append(Lamp(at, _COLORS[color], 0.55 if head.for_walkers else 0.8, 1.0))
        return burning
