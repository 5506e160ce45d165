"""The API beside a desk that runs, put together from the settings."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry

from engine.edge.api.figures import Figures
from engine.edge.api.masking import Personal, personal_of
from engine.edge.api.serve import make_services, served
from engine.edge.desk.keeper import Keeper
from engine.edge.settings import Configured
from engine.ruleset.spec import Project


@asynccontextmanager
async def api_beside(
    configured: Configured,
    live: Callable[[], Project],
    keeper: Keeper,
    registry: CollectorRegistry | None = None,
    lang: str = "en",
) -> AsyncIterator[int]:
    """Serve the API of the settings while this is held; gives its port, 0 where there is none.

    Args:
        configured: The settings.
        live: The declarations in force; asked again and again, as they may be reloaded.
        keeper: The desk.
        registry: What this process measures of rules and feeds; None where they run elsewhere.
        lang: Language of whoever does not ask for one.

    Raises:
        EnvironmentUnusable: port, certificate or a key cannot be used.

    """
    settings = configured.values.api
    if settings.port < 0:
        yield 0
        return
    figures = Figures(live, keeper, registry)
    personal = _Remembered(live)
    folder = configured.folder
    services = make_services(keeper, figures, personal, settings, folder, lang)
    services.sinks = frozenset(configured.values.sinks)
    async with served(services, settings, folder) as port:
        yield port


class _Remembered:
    """What is personal by the declarations in force, worked out once for each set of them."""

    def __init__(self, live: Callable[[], Project]) -> None:
        self._live = live
        self._of = live()
        self._found = personal_of(self._of)

    def __call__(self) -> Personal:
        project = self._live()
        if project is not self._of:
            self._of, self._found = project, personal_of(project)
        return self._found
