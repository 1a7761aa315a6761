"""Coordinates against an implementation not written here."""

import pytest

from channels.wechat.geo import to_gcj02, to_wgs84

#: (GCJ-02, WGS-84), latitude first; by the npm package `gcoord` 1.0.7, `transform(p, GCJ02, WGS84)`.
POINTS = [
    ((23.134521, 113.358803), (23.137057526, 113.353323101)),
    ((33.64, 116.97), (33.641565376, 116.964615553)),
    ((31.2304, 121.4737), (31.232329271, 121.469162308)),
    ((43.8, 87.6), (43.798787970, 87.597161028)),
    ((39.916527, 116.397128), (39.915125600, 116.390886069)),
]


@pytest.mark.parametrize(("gcj02", "wgs84"), POINTS)
def test_points_of_the_country(gcj02: tuple[float, float], wgs84: tuple[float, float]) -> None:
    """Both agree to a decimetre, and there and back is where it began."""
    assert to_wgs84(*gcj02) == pytest.approx(wgs84, abs=1e-6)
    assert to_gcj02(*to_wgs84(*gcj02)) == pytest.approx(gcj02, abs=1e-9)


def test_points_elsewhere_stay() -> None:
    """Outside the country nothing is shifted."""
    assert to_wgs84(48.8584, 2.2945) == (48.8584, 2.2945)
