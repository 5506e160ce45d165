"""The shortcut for many records gives the events of the careful way, or gives way to it."""

import json

import pytest

from engine.decode.record import FeedDecoder
from engine.feeds.spec import FeedSpec, FieldSpec, FieldType, PositionSpec, TimeSpec

GOOD = {"v": "a", "t": 1_750_000_000_000, "lon": 120.5, "lat": 32.5, "n": 3}


def feed(time_format="epoch-ms", format_="json"):
    return FeedSpec(
        name="f",
        topic="f",
        format=format_,
        key=("v",),
        id=("v", "t"),
        time=TimeSpec("t", time_format),
        position=PositionSpec("lon", "lat", "wgs84"),
        fields={
            "v": FieldSpec("v", FieldType.TEXT, "v"),
            "lon": FieldSpec("lon", FieldType.NUMBER, "lon"),
            "lat": FieldSpec("lat", FieldType.NUMBER, "lat"),
            "n": FieldSpec("n", FieldType.NUMBER, "n", optional=True),
        },
    )


def line(**other):
    return json.dumps({**GOOD, **other}).encode()


def together(decoder, values):
    assert decoder.bulk is not None
    return decoder.bulk(values)


def plain(event):
    return {name: getattr(event, name) for name in event.__struct_fields__}


def test_ordinary_records_give_the_events_of_the_careful_way():
    decoder = FeedDecoder(feed())
    values = [line(), line(v="b", n=None), line(t=0), line(lon=-180, lat=90)]
    events = together(decoder, values)
    assert [plain(event) for event in events] == [plain(decoder.parse(value)) for value in values]


def test_times_written_as_text_are_read_as_by_the_careful_way():
    decoder = FeedDecoder(feed("iso8601"))
    values = [line(t="2026-03-02T09:00:00+08:00"), line(t="2026-03-02T09:00:01")]
    assert [one.t for one in together(decoder, values)] == [decoder.parse(one).t for one in values]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"{", id="broken"),
        pytest.param(b"", id="empty"),
        pytest.param(b'{"$watermark": 1750000000000}', id="a heartbeat"),
        pytest.param(line(t=1_750_000_000_000.5), id="a fraction of a millisecond"),
        pytest.param(line(t=-1), id="before 1970"),
        pytest.param(line(t=True), id="a switch for a time"),
        pytest.param(line(lon=180.1), id="east of everything"),
        pytest.param(line(lat=-91), id="south of everything"),
        pytest.param(line()[:-1] + b', "v": "b"}', id="two keys"),
        pytest.param(line()[:-1] + b', "t": 1}', id="two times"),
        pytest.param(line(v='say "v"'), id="an escape"),
        pytest.param(b'{"\\u0076": "b", "v": "a", ' + line()[11:], id="two keys, one escaped"),
        pytest.param(line(more="x" * 1_048_576), id="over a megabyte"),
    ],
)
def test_one_unusual_record_sends_its_lot_the_careful_way(value):
    assert together(FeedDecoder(feed()), [line(), value, line()]) is None


def test_a_repeat_in_one_record_is_not_hidden_by_a_lack_in_another():
    twice = line()[:-1] + b', "v": "b"}'
    without = json.dumps({name: one for name, one in GOOD.items() if name != "v"}).encode()
    assert together(FeedDecoder(feed()), [twice, without]) is None


def test_lines_of_csv_have_no_shortcut():
    assert FeedDecoder(feed(format_="csv")).bulk is None
