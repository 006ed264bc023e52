"""The scenes that ship: `sim:junction`, `sim:road`, `sim:footpath`.

Their counting lines lie where road users are large and keep moving, and between the bands in which the middles of boxes run: the middle of a
tall body appears farther from the camera than the place where it stands, so a line's ends are not where the kerbs are.
"""

from __future__ import annotations

from collections.abc import Mapping

from edge_runtime.sources.sim import footpath, junction, road
from edge_runtime.sources.sim.street import Scene

SCENES: Mapping[str, Scene] = {scene.name: scene for scene in (junction.SCENE, road.SCENE, footpath.SCENE)}
