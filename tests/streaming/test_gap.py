"""The wait between two transactions is ours, not aiokafka's."""

import inspect

from aiokafka.producer import sender

from engine.edge.streaming import ledger


def test_aiokafka_still_waits_for_as_long_as_the_constant_says_that_we_set():
    assert ledger.GAP_S == sender.BACKOFF_OVERRIDE
    assert "return BACKOFF_OVERRIDE" in inspect.getsource(sender.AddPartitionsToTxnHandler)
