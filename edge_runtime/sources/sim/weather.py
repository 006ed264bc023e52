"""Day, dusk, night and rain as numbers: light that falls, light that is lit, and what the air and the camera add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

Bgr = tuple[float, float, float]  # factors on a colour, or levels 0 to 255 where said so


@dataclass(frozen=True, slots=True)
class Weather:
    """One kind of light. Blue, green, red everywhere."""

    towards_sun: tuple[float, float, float]  # unit vector
    sun: Bgr  # factor on a colour that faces the sun
    sky: Bgr  # factor on a colour that faces the sky
    bounce: Bgr  # factor on a colour that faces the ground
    mirrored: Bgr  # levels of the sky as glass and lacquer mirror it
    zenith: Bgr  # levels
    horizon: Bgr  # levels; also of the haze
    haze_m: float  # where haze hides half of everything
    shadow: float  # how much of the sun's light a shadow takes from the ground
    contact: float  # how dark it is under a car
    lamps: float = 0.0  # how bright street lamps are
    heads: float = 0.0  # how bright headlights are
    windows: float = 0.0  # share that is lit
    clouds: float = 0.0  # how much they are seen
    wet: float = 0.0  # how much the ground mirrors
    streaks: float = 0.0  # levels of falling rain
    noise: float = 1.5  # standard deviation in levels
    shake: float = 0.35  # pixels


LAMP_LIGHT: Bgr = (0.52, 0.80, 1.0)
_DAY = Weather(
    towards_sun=(0.403, -0.524, 0.750),
    sun=(0.60, 0.70, 0.76),
    sky=(0.56, 0.52, 0.49),
    bounce=(0.30, 0.31, 0.32),
    mirrored=(228.0, 205.0, 178.0),
    zenith=(214.0, 160.0, 108.0),
    horizon=(236.0, 224.0, 208.0),
    haze_m=700.0,
    shadow=0.50,
    contact=0.55,
    clouds=0.8,
)
_DUSK = Weather(
    towards_sun=(0.728, -0.560, 0.395),
    sun=(0.26, 0.52, 0.86),
    sky=(0.47, 0.37, 0.345),
    bounce=(0.22, 0.19, 0.19),
    mirrored=(150.0, 132.0, 150.0),
    zenith=(128.0, 82.0, 62.0),
    horizon=(140.0, 158.0, 214.0),
    haze_m=550.0,
    shadow=0.36,
    contact=0.50,
    lamps=0.50,
    heads=0.65,
    windows=0.35,
    clouds=0.6,
    noise=2.2,
)
_NIGHT = Weather(
    towards_sun=(0.25, -0.35, 0.903),
    sun=(0.0, 0.0, 0.0),
    sky=(0.26, 0.205, 0.19),
    bounce=(0.10, 0.085, 0.08),
    mirrored=(44.0, 38.0, 36.0),
    zenith=(26.0, 17.0, 13.0),
    horizon=(50.0, 38.0, 35.0),
    haze_m=900.0,
    shadow=0.0,
    contact=0.45,
    lamps=1.0,
    heads=1.0,
    windows=0.42,
    noise=4.0,
)
_RAIN = Weather(
    towards_sun=(0.25, -0.35, 0.903),
    sun=(0.04, 0.04, 0.04),
    sky=(0.79, 0.755, 0.73),
    bounce=(0.38, 0.37, 0.36),
    mirrored=(196.0, 190.0, 184.0),
    zenith=(176.0, 168.0, 160.0),
    horizon=(204.0, 199.0, 194.0),
    haze_m=190.0,
    shadow=0.0,
    contact=0.42,
    lamps=0.0,
    heads=0.40,
    windows=0.20,
    clouds=0.35,
    wet=0.55,
    streaks=26.0,
    noise=2.2,
)
WEATHERS: Mapping[str, Weather] = {
    "day": _DAY,
    "dusk": _DUSK,
    "night": _NIGHT,
    "rain": _RAIN,
    "night-rain": replace(_NIGHT, horizon=(58.0, 47.0, 43.0), haze_m=420.0, wet=0.75, streaks=18.0, noise=4.5),
}
