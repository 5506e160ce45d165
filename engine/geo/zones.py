"""Named areas: which of a layer's zones hold a position, and what is known about them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

from engine.errors import Problem
from engine.geo import geojson
from engine.geo.cells import Grid
from engine.geo.edges import Outline, encloses
from engine.geo.lines import Line

if TYPE_CHECKING:
    import shapely

# shapely and numpy take a fifth of a second to import: only who has zones or lines waits for them.
# ruff: noqa: PLC0415


@final
class Zone:
    """One area with its attributes. Positions on the outline, also on that of a hole, are in it.

    Attributes:
        id: Unique in its layer.
        name: For people; the id where none is declared.
        attributes: The properties of the GeoJSON feature.
        outline: Its edges, WGS-84 degrees.
        shape: The same as a shapely geometry, for bulk work and for tests.

    """

    __slots__ = ("attributes", "contains", "id", "name", "outline", "shape")

    def __init__(
        self, id_: str, name: str, attributes: Mapping[str, Any], shape: "shapely.Geometry"
    ) -> None:
        self.id = id_
        self.name = name
        self.attributes = attributes
        self.shape = shape
        self.outline = Outline(geojson.rings_of(shape))
        self.contains = self.outline.encloses

    def __repr__(self) -> str:
        return f"Zone({self.id!r})"


@final
class ZoneSet:
    """A layer of zones, indexed once by a grid.

    Attributes:
        name: Name of the layer.
        lines: Of a layer of lines, which has no zones, its lines in the order of their ids.
        inside: Fast test whether a position (lon, lat in WGS-84 degrees) is in any zone.

    """

    __slots__ = ("_by_id", "_grid", "inside", "lines", "name")

    def __init__(self, name: str, zones: Sequence[Zone], lines: Sequence[Line] = ()) -> None:
        self.name = name
        self.lines = tuple(sorted(lines, key=lambda line: line.id))
        self._by_id = {zone.id: zone for zone in sorted(zones, key=lambda zone: zone.id)}
        self._grid = Grid([(zone, zone.outline, zone.shape) for zone in self._by_id.values()])
        self.inside = self._grid.inside()

    @classmethod
    def from_geojson(
        cls, name: str, obj: object, file: str = "", lines: Sequence[int] = ()
    ) -> tuple["ZoneSet | None", tuple[Problem, ...]]:
        """Make a layer of a GeoJSON FeatureCollection of areas, or of one of lines.

        Each feature has an `id` among its properties (or beside them). A member `datum` of the
        collection says in which datum its positions are; without it they are WGS-84.

        Args:
            name: Name of the layer.
            obj: The parsed document.
            file: For the places of problems.
            lines: The line of each feature, if known.

        Returns:
            The layer, or None with every problem found (codes R501 to R515).

        """
        import shapely

        features, problems = geojson.read(obj, file, lines)
        if problems:
            return None, problems
        made = [(f.id, f.name, f.attributes, f.shape) for f in features]
        if made and shapely.get_type_id(made[0][3]) == shapely.GeometryType.MULTILINESTRING:
            return cls(name, (), [Line(*one) for one in made]), ()
        return cls(name, [Zone(*one) for one in made]), ()

    @classmethod
    def from_text(
        cls, name: str, raw: bytes, file: str = ""
    ) -> tuple["ZoneSet | None", tuple[Problem, ...]]:
        """Make a layer of the text of a GeoJSON file; problems carry the line of their feature."""
        obj, lines, problems = geojson.parse(raw, file)
        return (None, problems) if problems else cls.from_geojson(name, obj, file, lines)

    def at(self, lon: float, lat: float) -> Zone | None:
        """The zone that holds a position; of several the one with the smallest id."""
        for zone, left in self._grid.candidates(lon, lat):
            if left is None or encloses(left.edges, lon, lat, odd=left.odd):
                return zone
        return None

    def all_at(self, lon: float, lat: float) -> tuple[Zone, ...]:
        """All zones that hold a position, in the order of their ids."""
        return tuple(
            zone
            for zone, left in self._grid.candidates(lon, lat)
            if left is None or encloses(left.edges, lon, lat, odd=left.odd)
        )

    def zone(self, id_: str) -> Zone:
        """The zone of this id.

        Raises:
            KeyError: The layer has no such zone.

        """
        return self._by_id[id_]

    def get(self, id_: str) -> Zone | None:
        """The zone of this id, or None."""
        return self._by_id.get(id_)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all zones, sorted."""
        return tuple(self._by_id)

    def __iter__(self) -> Iterator[Zone]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, id_: object) -> bool:
        return id_ in self._by_id
