"""What terminals say on the wire, one file a protocol: pure, bytes in and values out.

Nothing here raises for what a peer sent: bytes that are no message of the protocol become a
`Garbled` with a bounded reason, and reading goes on with the next message.
"""

from typing import NamedTuple


class Garbled(NamedTuple):
    """Bytes that could not be read as a message.

    Attributes:
        reason: One of a short list, such as `bad-checksum`.
        detail: What was found instead, for people.
        raw: The bytes as they came, cut where they are longer than a message may be.

    """

    reason: str
    detail: str
    raw: bytes
