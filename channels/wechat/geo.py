"""From the coordinates that Chinese map services give out (GCJ-02) to those of the world (WGS-84).

Source: the series that is published with every open implementation of GCJ-02 (Krasovsky 1940
ellipsoid, semi-major axis 6,378,245 m, e² 0.00669342162296594323), inverted by iteration; the
result forth and back differs by less than a centimetre.
"""

import math

_A = 6378245.0
_EE = 0.00669342162296594323
_STEPS = 6
#: Outside this box the offset is not applied. Source: the same implementations.
_LATITUDES = (0.8293, 55.8271)
_LONGITUDES = (72.004, 137.8347)


def _is_offset(latitude: float, longitude: float) -> bool:
    south, north = _LATITUDES
    west, east = _LONGITUDES
    return south <= latitude <= north and west <= longitude <= east


def _ripple(value: float) -> float:
    return (20.0 * math.sin(6.0 * value * math.pi) + 20.0 * math.sin(2.0 * value * math.pi)) * 2 / 3


def _north(x: float, y: float) -> float:
    metres = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x))
    metres += _ripple(x)
    metres += (20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2 / 3
    metres += (160.0 * math.sin(y / 12.0 * math.pi) + 320 * math.sin(y * math.pi / 30.0)) * 2 / 3
    return metres


def _east(x: float, y: float) -> float:
    metres = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x))
    metres += _ripple(x)
    metres += (20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2 / 3
    metres += (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2 / 3
    return metres


def to_gcj02(latitude: float, longitude: float) -> tuple[float, float]:
    """Return what Chinese map services call a point of the world, in degrees."""
    if not _is_offset(latitude, longitude):
        return latitude, longitude
    x, y = longitude - 105.0, latitude - 35.0
    radians = latitude / 180.0 * math.pi
    magic = 1 - _EE * math.sin(radians) ** 2
    root = math.sqrt(magic)
    up = _north(x, y) * 180.0 / ((_A * (1 - _EE)) / (magic * root) * math.pi)
    right = _east(x, y) * 180.0 / (_A / root * math.cos(radians) * math.pi)
    return latitude + up, longitude + right


def to_wgs84(latitude: float, longitude: float) -> tuple[float, float]:
    """Return the point of the world that Chinese map services mean, in degrees."""
    if not _is_offset(latitude, longitude):
        return latitude, longitude
    found = latitude, longitude
    for _ in range(_STEPS):
        there = to_gcj02(*found)
        found = found[0] + latitude - there[0], found[1] + longitude - there[1]
    return found
