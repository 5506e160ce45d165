"""What a small transaction costs when the next one begins at once, by how soon aiokafka asks again.

    python -m benchmarks.transaction_gap

Rounds of 60 transactions of 105 records through a ledger, aiokafka's own 20 ms and ours in turn.
Prints milliseconds, and how many had to ask again because the one before was not closed yet.
"""

import asyncio
import sys
import time
import uuid
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.producer import sender

from benchmarks.streams import broker
from engine.edge.streaming.ledger import GAP_S, Ledger, Line, Parcel
from engine.edge.streaming.link import Link

ROUNDS, COUNT, THEIRS_S = 5, 60, 0.02


def main() -> int:
    """Measure and print."""
    asyncio.run(measure(broker()))
    return 0


async def measure(bootstrap: str) -> None:
    """Both waits in turn, through one ledger."""
    tag, again = f"gap-{uuid.uuid4().hex[:8]}", [0]
    answered = sender.AddPartitionsToTxnHandler.handle_response

    def counted(self: Any, response: Any) -> Any:
        pause = answered(self, response)
        again[0] += pause is not None
        return pause

    sender.AddPartitionsToTxnHandler.handle_response = counted
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(f"{tag}.alerts", 1, 1), NewTopic(f"{tag}.state", 1, 1)])
    await admin.close()
    ledger = Ledger(Link(bootstrap=bootstrap, app=tag, prefix=tag), tag)
    await ledger.open()
    for _ in range(ROUNDS):
        for gap_s in (THEIRS_S, GAP_S):
            sender.BACKOFF_OVERRIDE, again[0] = gap_s, 0
            took = sorted([await one(ledger, tag) for _ in range(COUNT)])
            print(
                f"asks again after {gap_s * 1000:2.0f} ms: p50 {took[COUNT // 2]:5.1f} ms, "
                f"p90 {took[COUNT * 9 // 10]:5.1f}, mean {sum(took) / COUNT:5.1f}; "
                f"asked again in {again[0]} of {COUNT}"
            )
    await ledger.close()


async def one(ledger: Ledger, tag: str) -> float:
    """Milliseconds of one transaction."""
    rows = [Line(b"k%d" % number, b"v" * 80) for number in range(100)]
    begun = time.perf_counter()
    await ledger.commit([
        Parcel(f"{tag}.alerts", 0, [Line(b"k", b"v" * 300)] * 5), Parcel(f"{tag}.state", 0, rows),
    ])  # fmt: skip
    return (time.perf_counter() - begun) * 1000


if __name__ == "__main__":
    sys.exit(main())
