"""Figures of partitions come with them and go with them."""

from engine.edge.kafka_metrics import KafkaMetrics
from engine.edge.metrics import Metrics
from engine.ports import Outcome, Trouble
from engine.state.codec import Meta, pack_meta


def outcome(watermark_ms: int = 5000, **more: object) -> Outcome:
    """What a partition with waiting records and a rule that is off saves."""
    words = {
        "positions": {"a": (10, 14, 0), "b": (3, 4, 0)},
        "troubled": {"broken": ([1], 7), "shaky": ([1], None)},
        **more,
    }
    meta = pack_meta(Meta(watermark=watermark_ms, **words))  # type: ignore[arg-type]
    return Outcome(watermark_ms=watermark_ms, meta=meta)


def lines(metrics: Metrics, name: str) -> list[str]:
    return [line for line in metrics.text().decode().splitlines() if line.startswith(name)]


def test_a_partitions_record_tells_what_waits_and_which_rules_are_off():
    metrics = Metrics()
    metrics.outcome("k", outcome(), 2)
    assert lines(metrics, "forewarn_waiting_records{") == [
        'forewarn_waiting_records{partition="2",space="k"} 5.0'
    ]
    assert lines(metrics, "forewarn_rule_quarantined{") == [
        'forewarn_rule_quarantined{partition="2",rule="broken",space="k"} 1.0'
    ]


def test_a_rule_that_is_on_again_is_told_of_at_once_when_there_is_trouble():
    metrics = Metrics()
    metrics.outcome("k", outcome(), 2)
    calm = outcome(6000, troubled={})
    metrics.outcome("k", calm, 2)  # too soon to look into the record again
    assert lines(metrics, "forewarn_rule_quarantined{")[0].endswith(" 1.0")
    calm.troubles.append(Trouble("rule-error", "other", "", 0))
    metrics.outcome("k", calm, 2)
    assert lines(metrics, "forewarn_rule_quarantined{")[0].endswith(" 0.0")
    assert lines(metrics, "forewarn_troubles_total{")[0].endswith(" 1.0")


def test_a_partition_that_is_given_up_leaves_no_figure_that_could_look_like_a_stall():
    metrics = Metrics()
    metrics.outcome("k", outcome(), 2)
    metrics.outcome("k", outcome(), 3)
    metrics.released("k", 2)
    for name in ("watermark_seconds", "waiting_records", "rule_quarantined"):
        (left,) = lines(metrics, f"forewarn_{name}{{")
        assert 'partition="3"' in left
    metrics.outcome("k", outcome(9000), 2)
    assert len(lines(metrics, "forewarn_watermark_seconds{")) == 2
    metrics.released("never", 1)


def test_a_record_that_cannot_be_read_stops_nobody():
    metrics = Metrics()
    metrics.outcome("k", Outcome(watermark_ms=1000, meta=b"not ours"), 0)
    assert lines(metrics, "forewarn_watermark_seconds{")[0].endswith(" 1.0")
    assert lines(metrics, "forewarn_waiting_records{") == []


def test_lag_is_told_by_whoever_reads_the_partition_and_by_nobody_else():
    metrics = Metrics()
    kafka = KafkaMetrics(metrics)
    kafka.lag("gps", 0, 7)
    kafka.lag("gps", 1, 9)
    kafka.unread("gps", 0)
    assert lines(metrics, "forewarn_kafka_lag_records{") == [
        'forewarn_kafka_lag_records{partition="1",topic="gps"} 9.0'
    ]
    kafka.lag("gps", 0, 1)
    assert len(lines(metrics, "forewarn_kafka_lag_records{")) == 2


def test_every_loss_and_takeover_is_counted_once():
    metrics = Metrics()
    kafka = KafkaMetrics(metrics)
    kafka.dealt()
    kafka.lost("fenced")
    kafka.restored(3.0)
    kafka.missing("gps", 12)
    kafka.committed(0.004)
    kafka.holding(4, 3)
    text = metrics.text().decode()
    for line in (
        "forewarn_kafka_rebalances_total 1.0",
        'forewarn_kafka_units_lost_total{reason="fenced"} 1.0',
        'forewarn_restore_seconds_bucket{le="5.0"} 1.0',
        'forewarn_kafka_missing_records_total{topic="gps"} 12.0',
        'forewarn_kafka_commit_seconds_bucket{le="0.005"} 1.0',
        "forewarn_kafka_units 4.0",
        "forewarn_kafka_units_ready 3.0",
    ):
        assert line in text.splitlines()
