"""Which lamps of the street burn, those of traffic lights and those that light it, and where the camera sees them."""

from __future__ import annotations

from collections.abc import Mapping

from edge_runtime.sources.sim.furniture import LAMP_ARM_M, LAMP_M, lamp_arm, lamp_heights
from edge_runtime.sources.sim.lights import Lamp
from edge_runtime.sources.sim.projection import Camera
from edge_runtime.sources.sim.street import Scene

_STREET = (120.0, 195.0, 255.0)
_COLORS = {"red": (40.0, 40.0, 255.0), "amber": (20.0, 170.0, 255.0), "green": (150.0, 250.0, 70.0)}


class Signalling:
    """The heads that show their face to a camera, and street lamps as bright as `lamps` (0 to 1) says."""

    def __init__(self, scene: Scene, camera: Camera, lamps: float) -> None:
        eye = camera.view.eye
        arms = [(at, lamp_arm(scene, at)) for at in scene.lamps] if lamps > 0 else []
        reach = LAMP_ARM_M + 0.25
        self._street = [Lamp((x + reach * ax, y + reach * ay, LAMP_M - 0.1), _STREET, 1.9, lamps) for (x, y), (ax, ay) in arms]
        self._heads = [head for head in scene.signals if (eye[0] - head.at[0]) * head.facing[0] + (eye[1] - head.at[1]) * head.facing[1] > 0]

    def lamps(self, signals: Mapping[str, str]) -> list[Lamp]:
        """The lamps that burn; a head without a state is dark."""
        burning = list(self._street)
        for head in self._heads:
            color = signals.get(head.name)
            high = lamp_heights(head).get(color) if color is not None else None
            if high is not None and color is not None:
                at = (head.at[0] + head.facing[0] * 0.45, head.at[1] + head.facing[1] * 0.45, high)
                burning.append(Lamp(at, _COLORS[color], 0.55 if head.for_walkers or head.for_cyclists else 0.8, 1.0))
        return burning
