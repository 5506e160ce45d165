"""Our CAP schema against what the published one says, element by element.

The table below was written from the text of the OASIS file CAP-v1.2.xsd ("Copyright OASIS Open
2010"), as it stands in the public repository google/cap-library, schema/cap12.xsd: names, order,
how often, type and code values. The file itself is not copied here: it carries no licence.
"""

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from lxml import etree

from connectors import cap

XS = "{http://www.w3.org/2001/XMLSchema}"
PUBLISHED = """
alert
  identifier    1   string
  sender        1   string
  sent          1   dateTime
  status        1   string: Actual Exercise System Test Draft
  msgType       1   string: Alert Update Cancel Ack Error
  source        ?   string
  scope         1   string: Public Restricted Private
  restriction   ?   string
  addresses     ?   string
  code          *   string
  note          ?   string
  references    ?   string
  incidents     ?   string
  info          *
    language      ?   language
    category      +   string: Geo Met Safety Security Rescue Fire Health Env Transport Infra CBRNE Other
    event         1   string
    responseType  *   string: Shelter Evacuate Prepare Execute Avoid Monitor Assess AllClear None
    urgency       1   string: Immediate Expected Future Past Unknown
    severity      1   string: Extreme Severe Moderate Minor Unknown
    certainty     1   string: Observed Likely Possible Unlikely Unknown
    audience      ?   string
    eventCode     *
      valueName     1   string
      value         1   string
    effective     ?   dateTime
    onset         ?   dateTime
    expires       ?   dateTime
    senderName    ?   string
    headline      ?   string
    description   ?   string
    instruction   ?   string
    web           ?   anyURI
    contact       ?   string
    parameter     *
      valueName     1   string
      value         1   string
    resource      *
      resourceDesc  1   string
      mimeType      1   string
      size          ?   integer
      uri           ?   anyURI
      derefUri      ?   string
      digest        ?   string
    area          *
      areaDesc      1   string
      polygon       *   string
      circle        *   string
      geocode       *
        valueName     1   string
        value         1   string
      altitude      ?   decimal
      ceiling       ?   decimal
  any http://www.w3.org/2000/09/xmldsig# lax *
"""  # noqa: E501 - a row is a row
STRICTER = {
    "identifier", "sender", "sent", "references", "event", "effective", "onset", "expires",
    "areaDesc", "polygon", "circle",
}  # fmt: skip
"""Elements whose values we narrow further, as the text of the standard says."""
_OFTEN = {("1", "1"): "1", ("0", "1"): "?", ("0", "unbounded"): "*", ("1", "unbounded"): "+"}


class Schema:
    """Our schema file, read as a table of that form."""

    def __init__(self) -> None:
        raw = files("connectors").joinpath("cap-1.2.xsd").read_bytes()
        root = etree.fromstring(raw)
        self.named: dict[str, Any] = {one.get("name", ""): one for one in root if one.get("name")}
        self.narrowed: set[str] = set()

    def rows(self) -> list[str]:
        """The table, from the element `alert` down."""
        return ["alert", *self._of(self.named["alert"], 1)]

    def _of(self, element: Any, depth: int) -> Iterator[str]:
        sequence = element.find(f"{XS}complexType/{XS}sequence")
        if sequence is None:
            sequence = self.named[element.get("type")].find(f"{XS}sequence")
        for one in sequence:
            often = _OFTEN[one.get("minOccurs", "1"), one.get("maxOccurs", "1")]
            if one.tag == f"{XS}any":
                words = [one.get("namespace"), one.get("processContents"), often]
                yield f"{'  ' * depth}any {' '.join(words)}"
                continue
            name = one.get("name") or one.get("ref")
            found = self.named[name] if one.get("ref") else one
            kind = self._kind(name, found)
            yield f"{'  ' * depth}{name:<13} {often}   {kind}".rstrip()
            if not kind:
                yield from self._of(found, depth + 1)

    def _kind(self, name: str, element: Any) -> str:
        """The type it is made of, with its code values; empty for one that holds others."""
        said = element.get("type", "")
        if said.startswith("xs:"):
            return str(said[3:])
        inner = self.named.get(said, element)
        narrowed = inner if inner.tag == f"{XS}simpleType" else inner.find(f"{XS}simpleType")
        if narrowed is None:
            return ""
        restriction = narrowed.find(f"{XS}restriction")
        codes = [one.get("value") for one in restriction.findall(f"{XS}enumeration")]
        if restriction.find(f"{XS}pattern") is not None:
            self.narrowed.add(name)
        base = restriction.get("base")[3:]
        return f"{base}: {' '.join(codes)}" if codes else base


def test_our_schema_has_the_elements_of_the_published_one_in_its_order() -> None:
    assert Schema().rows() == PUBLISHED.strip().splitlines()


def test_what_we_narrow_beyond_the_published_schema_is_known() -> None:
    schema = Schema()
    schema.rows()
    assert schema.narrowed == STRICTER


def test_a_signature_behind_the_last_info_is_valid_and_anything_else_there_is_not() -> None:
    for space, is_valid in (("http://www.w3.org/2000/09/xmldsig#", True), ("urn:other", False)):
        alert = etree.Element(f"{{{cap.SPACE}}}alert")
        parts = {"identifier": "a", "sender": "b", "sent": "2026-03-02T09:25:00+08:00",
                 "status": "Actual", "msgType": "Alert", "scope": "Public"}  # fmt: skip
        for name, text in parts.items():
            etree.SubElement(alert, f"{{{cap.SPACE}}}{name}").text = text
        etree.SubElement(alert, f"{{{space}}}Signature")
        assert (cap.problems(alert) == []) is is_valid
