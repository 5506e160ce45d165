"""Named lines: dikes, gates, borders, road sections that something may pass."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, final

from engine.geo.passing import Path

if TYPE_CHECKING:
    import shapely


@final
class Line:
    """One line with its attributes; it has a left and a right as it is drawn.

    Attributes:
        id: Unique in its layer.
        name: For people; the id where none is declared.
        attributes: The properties of the GeoJSON feature.
        path: Its edges, WGS-84 degrees.

    """

    __slots__ = ("attributes", "id", "name", "path")

    def __init__(
        self, id_: str, name: str, attributes: Mapping[str, Any], shape: "shapely.Geometry"
    ) -> None:
        import shapely  # noqa: PLC0415 - see zones.py

        self.id = id_
        self.name = name
        self.attributes = attributes
        self.path = Path(
            [
                [(float(lon), float(lat)) for lon, lat in part.coords]
                for part in shapely.get_parts(shape)
            ]
        )
