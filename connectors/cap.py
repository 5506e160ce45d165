"""A delivery as a CAP 1.2 document: built element by element, checked against the schema."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Literal
from zoneinfo import ZoneInfo

from lxml import etree

from connectors.notice import Notice
from connectors.wording import clean, one_line

SPACE = "urn:oasis:names:tc:emergency:cap:1.2"
MsgType = Literal["Alert", "Update", "Cancel"]
Category = Literal[
    "Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra",
    "CBRNE", "Other",
]  # fmt: skip

SEVERITY = {"red": "Extreme", "orange": "Severe", "yellow": "Moderate", "blue": "Minor"}
"""The warning levels of the Emergency Response Law in the words of CAP."""
URGENCY = {"red": "Immediate", "orange": "Immediate", "yellow": "Expected", "blue": "Expected"}
LANGUAGE = {"zh": "zh-CN", "en": "en-US"}


@dataclass(frozen=True, slots=True)
class Issued:
    """A message that was given out: what later ones refer to it by. `sent` as CAP writes it."""

    identifier: str
    sent: str


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who gives messages out, and what is the same in all of them.

    Attributes:
        sender: Unique name of the issuer, such as a domain; `sender_name` is for people.
        status: `Actual`, or `Exercise` or `Test`.
        scope: `Restricted` (to whom says `restriction`) or `Public`; alerts of the engine are
            orders to departments, only an authority may make a public warning of them.
        expires_h: Hours after which a message is void; 0 for never.
        radius_km: Of the circle around the place.

    """

    sender: str
    sender_name: str = ""
    status: str = "Actual"
    scope: str = "Restricted"
    restriction: str = ""
    category: str = "Safety"
    expires_h: float = 24.0
    radius_km: float = 0.0
    zone: str = "Asia/Shanghai"


def msg_type(notice: Notice, earlier: Sequence[Issued]) -> MsgType:
    """Whether it is new, changes or ends what was given out."""
    if notice.is_over:
        return "Cancel"
    return "Update" if earlier and notice.is_change else "Alert"


def document(
    notices: Sequence[Notice], issuer: Issuer, issued: Issued, earlier: Sequence[Issued]
) -> bytes:
    """The document about a delivery, one `info` for each language it was read in.

    Args:
        notices: The same delivery, read in each language.
        issuer: Who gives it out.
        issued: Its own identifier and time.
        earlier: What was given out about this before; referred to by changes and ends.

    Raises:
        ValueError: it is no valid CAP document.

    """
    first = notices[0]
    kind = msg_type(first, earlier)
    alert = etree.Element(_name("alert"), nsmap={None: SPACE})  # type: ignore[dict-item]
    _add(alert, "identifier", issued.identifier)
    _add(alert, "sender", issuer.sender)
    _add(alert, "sent", issued.sent)
    _add(alert, "status", issuer.status)
    _add(alert, "msgType", kind)
    _add(alert, "scope", issuer.scope)
    if issuer.scope == "Restricted":
        _add(alert, "restriction", issuer.restriction or issuer.sender_name or issuer.sender)
    if kind != "Alert":
        said = (f"{issuer.sender},{one.identifier},{one.sent}" for one in earlier)
        _add(alert, "references", " ".join(said))
    if first.reference:
        _add(alert, "incidents", _word(first.reference))
    for notice in notices:
        _info(alert, notice, issuer, is_over=kind == "Cancel")
    wrong = problems(alert)
    if wrong:
        raise ValueError(wrong[0])
    raw: bytes = etree.tostring(alert, xml_declaration=True, encoding="UTF-8")
    return raw


def _info(alert: etree._Element, notice: Notice, issuer: Issuer, *, is_over: bool) -> None:
    info = etree.SubElement(alert, _name("info"))
    _add(info, "language", LANGUAGE[notice.lang])
    _add(info, "category", issuer.category)
    _add(info, "event", notice.title)
    if is_over:
        _add(info, "responseType", "AllClear")
    _add(info, "urgency", "Past" if is_over else URGENCY.get(notice.level, "Unknown"))
    _add(info, "severity", SEVERITY.get(notice.level, "Unknown"))
    _add(info, "certainty", "Observed")
    if notice.at_ms:
        _add(info, "onset", instant(notice.at_ms, issuer.zone))
        if issuer.expires_h and not is_over:
            expires_ms = notice.at_ms + int(issuer.expires_h * 3_600_000)
            _add(info, "expires", instant(expires_ms, issuer.zone))
    if issuer.sender_name:
        _add(info, "senderName", issuer.sender_name)
    _add(info, "headline", notice.headline)
    if notice.text:
        _add(info, "description", notice.text)
    if notice.check:
        lines = (f"{number}. {one_line(line)}" for number, line in enumerate(notice.check, 1))
        _add(info, "instruction", "\n".join(lines))
    if notice.link.startswith(("https://", "http://")):
        _add(info, "web", one_line(notice.link).replace(" ", "%20"))
    for label, value in notice.fields:
        pair = etree.SubElement(info, _name("parameter"))
        _add(pair, "valueName", one_line(label))
        _add(pair, "value", one_line(value))
    if notice.place or notice.lon is not None:
        area = etree.SubElement(info, _name("area"))
        _add(area, "areaDesc", one_line(notice.place) or f"{notice.lat},{notice.lon}")
        if notice.lon is not None and notice.lat is not None:
            circle = f"{notice.lat:.6f},{notice.lon:.6f} {issuer.radius_km:g}"
            _add(area, "circle", circle)


def instant(at_ms: int, zone: str) -> str:
    """An instant as CAP writes it: whole seconds with the zone's offset; UTC is `-00:00`."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    text = at.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")
    return text.removesuffix("+00:00") + "-00:00" if text.endswith("+00:00") else text


def problems(alert: etree._Element) -> list[str]:
    """What the schema says against a document."""
    schema = _schema()
    schema.validate(alert)
    found: list[Any] = list(schema.error_log)  # type: ignore[call-overload]
    return [f"{error.path}: {error.message}"[:300] for error in found]


def opened(raw: bytes) -> etree._Element:
    """A document that somebody wrote: without entities, network and document types.

    Raises:
        ValueError: it is not one.

    """
    try:
        found = etree.fromstring(raw, _reader())
    except etree.XMLSyntaxError as error:
        raise ValueError(str(error)) from error
    about: Any = found.getroottree().docinfo
    if about.doctype:
        message = "document types are not read"
        raise ValueError(message)
    return found


def _reader() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False,
        huge_tree=False, remove_pis=True,
    )  # fmt: skip


@cache
def _schema() -> etree.XMLSchema:
    raw = files("connectors").joinpath("cap-1.2.xsd").read_bytes()
    return etree.XMLSchema(etree.fromstring(raw, _reader()))


def _add(parent: etree._Element, name: str, text: str) -> None:
    """An element with a text; what XML cannot hold is left out."""
    etree.SubElement(parent, _name(name)).text = (
        clean(text).replace("\ufffe", "").replace("\uffff", "")
    )


def _name(name: str) -> str:
    return f"{{{SPACE}}}{name}"


def _word(text: str) -> str:
    """A text without what separates the words of a list."""
    return "".join(char for char in one_line(text) if char not in ' ,"<&')
