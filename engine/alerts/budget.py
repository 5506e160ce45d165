"""How many alerts a rule may raise before it is quieted."""

HOUR_MS = 3_600_000


class Budget:
    """How many alerts a rule may raise in an hour of event time, in one partition."""

    __slots__ = ("count", "hour", "limit", "told")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.hour = 0
        self.count = 0
        self.told = False

    def spend(self, at_ms: int) -> bool:
        """Take one alert from the budget of its hour; False when it is used up."""
        hour = at_ms // HOUR_MS
        if hour != self.hour:
            self.hour, self.count, self.told = hour, 0, False
        self.count += 1
        return self.limit == 0 or self.count <= self.limit
