"""The way from an alert's transition to the outside system's receipt, place by place.

What a test kills at stands here once, so that the page for operators and the tests cannot differ.
"""

TRANSITION = ("alert-row-inserted", "before-commit", "after-commit")
"""The daemon keeps a transition."""
DESK = (
    "desk-read", "desk-decided", "desk-cases-kept", "desk-move-kept", "desk-paper-queued",
    "desk-change-kept", "desk-position-kept", "desk-audited", "desk-not-committed",
    "desk-committed",
)  # fmt: skip
"""The desk makes a case of it, and an order."""
SENDING = (
    "outbox-claimed", "send-begun", "request-sent", "answer-read", "mark-not-committed",
    "sent-marked",
)  # fmt: skip
"""The order goes out."""
RECEIPT = (
    "receipt-trusted", "receipt-understood", "desk-decided", "desk-cases-kept", "desk-move-kept",
    "desk-paper-queued", "desk-receipt-kept", "desk-audited", "desk-not-committed",
    "desk-committed", "receipt-taken",
)  # fmt: skip
"""The outside system says how its order stands."""
WAY = {"transition": TRANSITION, "desk": DESK, "order": SENDING, "receipt": RECEIPT}
"""The four parts, by the word that the page has for them."""
