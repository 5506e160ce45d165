"""What an operator may set, and how: `forewarn.yaml`, then the environment, then flags.

An environment variable `FOREWARN_SECTION__KEY` sets `section.key`; a later layer wins. Secrets are
given as `..._file` or by the environment and never print themselves.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from engine.edge.api_settings import ApiSettings
from engine.edge.desk_settings import DeskSettings
from engine.edge.files import missing_packs
from engine.edge.kafka_settings import KafkaSettings, kafka_problems
from engine.edge.layers import Layers, environment_layer, read_layer
from engine.errors import DeclarationError, EnvironmentUnusable, Location, Problem
from engine.ruleset.shape import validate
from engine.ruleset.source import DeclaredFile
from engine.text import say

FILE_NAME = "forewarn.yaml"


class Section(BaseModel):
    """A part of the settings: no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class HttpSettings(Section):
    """The intake that feeds are posted to. Loopback unless told otherwise.

    Attributes:
        token: Bearer token that senders must show; none means no check. Or `token_file`.
        max_body: Largest body in bytes; `max_record` the largest single record.
        inbox_limit: Kept records of one feed beyond which senders are asked to wait (429).

    """

    host: str = "127.0.0.1"
    port: int = Field(default=8710, ge=0, le=65535)
    token: SecretStr | None = None
    token_file: str | None = None
    max_body: int = Field(default=8 * 1024 * 1024, ge=1024)
    max_record: int = Field(default=1024 * 1024, ge=256)
    inbox_limit: int = Field(default=200_000, ge=1)


class MetricsSettings(Section):
    """Where `/live`, `/ready` and `/metrics` are served; port 0 takes any free one, -1 none."""

    host: str = "127.0.0.1"
    port: int = Field(default=8711, ge=-1, le=65535)


class LogSettings(Section):
    """How much is logged, and whether for people or for machines."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "text"] = "auto"


class OutboxSettings(Section):
    """How patient deliveries are, in seconds.

    Attributes:
        drain_s: With `run --once`, how long the end waits for sinks that take nothing.

    """

    first_wait_s: float = Field(default=1.0, gt=0)
    most_wait_s: float = Field(default=300.0, gt=0)
    give_up_s: float = Field(default=86_400.0, gt=0)
    attempts: int = Field(default=0, ge=0)
    drain_s: float = Field(default=60.0, ge=0)


class RetentionSettings(Section):
    """How long the store keeps what is over."""

    dead_rows: int = Field(default=100_000, ge=0)
    dead_bytes: int = Field(default=256 * 1024 * 1024, ge=0)
    trouble_rows: int = Field(default=10_000, ge=0)
    tick_days: int = Field(default=30, ge=0)
    sent_days: int = Field(default=30, ge=0)


class DatabaseSettings(Section):
    """A database whose answers are rows of tables.

    Attributes:
        url: Its address, as SQLAlchemy writes it (`postgresql://...`, `sqlite:///register.db`).
            Or `url_file`.

    """

    url: SecretStr | None = None
    url_file: str | None = None


class ReloadSettings(Section):
    """How edited rules come into a running daemon.

    Attributes:
        watch: Whether the folders of rules are looked at; without it a reload must be asked for.
        test: Whether the tests of edited rules must pass.
        settle_s: How long the folders must have been still before an edit is read, in seconds.
        within_s: How long a check may take, tests included.
        last_good: Whether a start with broken or refused rules takes those that were live last.
        token: What must be shown to ask for a reload; without it the daemon makes one for whoever
            may read its data folder. Or `token_file`.

    """

    watch: bool = True
    test: bool = True
    settle_s: float = Field(default=1.0, ge=0.1, le=3600)
    within_s: float = Field(default=300.0, gt=0)
    last_good: bool = True
    token: SecretStr | None = None
    token_file: str | None = None


class Settings(Section):
    """Everything. `sources` and `sinks` are checked against the schema of their kind.

    Attributes:
        data_folder: Where the daemon keeps its database; relative to the settings file.
        packs: Folders with rules; relative to the settings file. None: the folder of the file.
        broker: `kafka://host:port` runs workers on Kafka, nothing runs embedded.
        kafka: How to get into that broker, and what is ours there.
        api: How the desk's API is served.
        desk: Cases, for whoever keeps them here; None: alerts are delivered and that is all.

    """

    data_folder: str = "data"
    packs: list[str] | None = None
    lang: Literal["zh", "en"] | None = None
    broker: str | None = None
    kafka: KafkaSettings = KafkaSettings()
    sources: dict[str, dict[str, Any]] = Field(default_factory=dict)
    sinks: dict[str, dict[str, Any]] = Field(default_factory=dict)
    http: HttpSettings = HttpSettings()
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()
    outbox: OutboxSettings = OutboxSettings()
    retention: RetentionSettings = RetentionSettings()
    reload: ReloadSettings = ReloadSettings()
    databases: dict[str, DatabaseSettings] = Field(default_factory=dict)
    api: ApiSettings = ApiSettings()
    desk: DeskSettings | None = None


class Configured:
    """Settings as read, with where each value came from, and the folder relative paths start at."""

    def __init__(self, values: Settings, layers: Layers, folder: Path) -> None:
        """Hold what `read_settings` found."""
        self.values = values
        self.layers = layers
        self.folder = folder

    @property
    def data_folder(self) -> Path:
        """The data folder as a path."""
        return self.folder / self.values.data_folder

    @property
    def packs(self) -> list[Path]:
        """Folders with rules.

        Raises:
            DeclarationError: one of them does not exist.

        """
        names = self.values.packs
        if names is None:
            return [self.folder]
        if missing := missing_packs(names, self.folder, self.layers.at):
            raise DeclarationError(missing)
        return [self.folder / name for name in names]

    def origins(self) -> list[tuple[str, str, str]]:
        """Every setting that somebody set: name, value (secrets masked), and who set it."""
        return self.layers.origins()


def read_settings(
    target: Path,
    environment: dict[str, str],
    flags: dict[str, Any] | None = None,
    more: Callable[[Layers], Sequence[Problem]] = lambda _layers: (),
) -> Configured:
    """Read the settings of a folder, or of a settings file.

    Args:
        target: A folder (its `forewarn.yaml` is optional) or a settings file.
        environment: Environment variables.
        flags: What the command line says, by dotted name; None values are left out.
        more: What else is wrong, asked when something is: a reader wants to hear all of it.

    Raises:
        DeclarationError: something in them is wrong; every problem at once.
        EnvironmentUnusable: the file cannot be read.

    """
    folder = target if target.is_dir() else target.parent
    file = folder / FILE_NAME if target.is_dir() else target
    base, problems = read_layer(_declared(file, optional=target.is_dir()))
    layers = Layers(base)
    problems += environment_layer(layers, environment, frozenset(Settings.model_fields))
    for name, value in (flags or {}).items():
        if value is not None:
            layers.put(tuple(name.split(".")), value, f"--{name.split('.')[-1]}")
    found = validate(Settings, layers.document())
    if isinstance(found, tuple):
        problems += found
    else:
        problems += kafka_problems(found.kafka, found.broker, layers)
    if problems or isinstance(found, tuple):
        raise DeclarationError([*problems, *more(layers)])
    return Configured(found, layers, folder)


def problem(at: Location, code: str, nearest: str = "", **found: object) -> Problem:
    """One thing wrong in the settings."""
    return Problem(at, code, found, nearest)


def _declared(file: Path, *, optional: bool) -> DeclaredFile:
    try:
        return DeclaredFile(str(file), file.read_bytes())
    except FileNotFoundError as error:
        if optional:
            return DeclaredFile(str(file), b"{}\n")
        raise EnvironmentUnusable(
            say("settings-unreadable", "en", path=file, why=error.strerror)
        ) from error
    except OSError as error:
        why = error.strerror or str(error)
        raise EnvironmentUnusable(say("settings-unreadable", "en", path=file, why=why)) from error
