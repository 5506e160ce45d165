"""`forewarn report`: how departments, areas and rules did in a month, from the cases of a desk."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy.exc import SQLAlchemyError

from engine.cases.assessment import Assessment, Figures, Span
from engine.cases.bulletin.page import page
from engine.cases.bulletin.rows import Telling, figures_row, plain, worth_head, worth_row
from engine.cases.bulletin.sheet import sheet
from engine.cases.policy import Policy
from engine.edge.cli.configured import settings_of
from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.projects import find
from engine.edge.cli.versions import own_version
from engine.edge.cli.voice import voice
from engine.edge.cli.whole_files import must_be_writable, write_whole
from engine.edge.desk.assessing import assessed
from engine.edge.desk.opening import declared_desk, open_store, settings_of_desk
from engine.edge.desk.store import FILE_NAME
from engine.edge.settings import Configured
from engine.edge.state_tools.plan import columns
from engine.errors import DeclarationError, EnvironmentUnusable
from engine.model.formats import format_time

ZONE = "Asia/Shanghai"
_FORMS = (".html", ".csv")
_SHOWN = (
    "orders", "on-time-sign", "on-time-resolve", "median-sign", "returns", "reopens", "satisfied",
)  # fmt: skip
"""What a terminal has room for."""
_PLACES = (0, 2, 4, 6, 9, 10, 15)


def report_month(folder: Path, month: str | None, out: Sequence[Path], data: Path | None) -> int:
    """Count a month and tell it; answers the exit code.

    Raises:
        Misuse: no month, or a file of another form.
        EnvironmentUnusable: there is no desk, its database cannot be read, or a file not written.

    """
    now_ms = _now_ms()
    name = month or last_month(now_ms)
    try:
        span = Span.month(name, ZONE)
    except ValueError as error:
        raise Misuse(voice().say("report-month", found=name)) from error
    for path in out:
        if path.suffix.lower() not in _FORMS:
            raise Misuse(voice().say("report-out", found=path))
        must_be_writable(path)
    if not folder.exists():
        raise EnvironmentUnusable(voice().say("cli-no-path", path=folder))
    configured = settings_of(folder, data=data)
    telling = _telling(configured, _read(configured, span), name, now_ms)
    for path in out:
        is_page = path.suffix.lower() == ".html"
        write_whole(path, page(telling, own_version()) if is_page else sheet(telling))
        if not voice().json:
            voice().line(voice().say("report-written", path=path))
    if voice().json:
        voice().data(plain(telling))
    elif not out:
        for line in as_text(telling):
            voice().line(line)
    return Exit.FINE


def last_month(now_ms: int) -> str:
    """The last month that is over, as it is written."""
    today = datetime.fromtimestamp(now_ms / 1000, ZoneInfo(ZONE))
    return (today.replace(day=1) - timedelta(days=1)).strftime("%Y-%m")


def as_text(telling: Telling) -> list[str]:
    """The assessment on a terminal: the figures that matter most."""
    say = telling.say
    lines = [telling.title, telling.made]
    lines += [] if telling.is_whole else [say("bulletin-so-far")]
    if telling.found.whole.is_empty:
        return [*lines, "", say("bulletin-empty")]
    head = [say(f"bulletin-{name}") for name in _SHOWN]
    for kind in ("department", "area"):
        rows = [(name, one) for of, _, name, one in telling.groups() if of == kind]
        if rows:
            rows.append((say("bulletin-whole"), telling.found.whole))
            table = [[say(f"bulletin-{kind}"), *head]]
            table += [[name, *_some(telling, one)] for name, one in rows]
            lines += ["", *columns(table)]
    for kind in ("pack", "rule"):
        found = [[name, *worth_row(one)] for of, name, one in telling.worths() if of == kind]
        if found:
            lines += ["", *columns([[say(f"bulletin-{kind}"), *worth_head(telling)], *found])]
    return lines


def _some(telling: Telling, one: Figures) -> list[str]:
    row = figures_row(telling, one)
    return [row[place] for place in _PLACES]


def _read(configured: Configured, span: Span) -> Assessment:
    """Count what the desk keeps; it may run meanwhile."""
    settings = settings_of_desk(configured)
    own = configured.data_folder / FILE_NAME
    if settings.url is None and settings.url_file is None and not own.is_file():
        raise EnvironmentUnusable(voice().say("report-no-desk", path=own))
    store = open_store(configured, voice().lang)
    try:
        return store.read_now(lambda link: assessed(link, span))
    except SQLAlchemyError as error:
        raise store.unusable(error) from error
    finally:
        store.close_now()


def _telling(configured: Configured, found: Assessment, name: str, now_ms: int) -> Telling:
    """The figures with all that is said about them."""
    lang = voice().lang
    policy = _declared(configured)
    at = format_time(now_ms, ZONE, lang)
    return Telling(
        found=found,
        lang=lang,
        title=voice().say("bulletin-title", month=name),
        departments={one.id: _word(one.title, lang) for one in policy.departments.values()},
        areas={code: _word(one.title, lang) for code, one in policy.centres.items()},
        made=voice().say("bulletin-made", at=at, zone=ZONE),
        is_whole=now_ms >= found.span.until_ms,
    )


def _declared(configured: Configured) -> Policy:
    """What departments and areas are called; nothing, where the declarations are broken or gone."""
    with suppress(DeclarationError, EnvironmentUnusable):
        project = find(configured.packs).usable()
        return declared_desk(configured, project, None).policy or Policy()
    return Policy()


def _word(title: Mapping[str, str], lang: str) -> str:
    return title.get(lang) or next(iter(title.values()), "")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
