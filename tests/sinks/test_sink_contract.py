"""What every sink promises, run against every kind."""

import io
from contextlib import suppress
from pathlib import Path

import pytest
import structlog
from sink_stage import BODY, CANARY, DELIVERY, REFUSING, STAGES, Stage

from connectors import SINKS, module_of, sink_kinds, source_kinds
from engine.edge.logs import set_up_logs
from engine.errors import DeliveryError, Permanent, Retryable
from engine.ports import Sink

every_kind = pytest.mark.parametrize("kind", sorted(STAGES))


async def handed(sink: Sink, *, times: int = 1) -> None:
    """Open a sink, hand it one delivery, close it."""
    await sink.open()
    try:
        for attempt in range(1, times + 1):
            await sink.send(DELIVERY, BODY, attempt)
    finally:
        await sink.close()


@every_kind
async def test_what_was_sent_arrived_when_send_returns(kind: str, tmp_path: Path) -> None:
    async with STAGES[kind](tmp_path) as stage:
        await handed(stage.make())
        await stage.settle()
        assert stage.got() == [DELIVERY]


@every_kind
async def test_the_same_delivery_again_does_no_harm(kind: str, tmp_path: Path) -> None:
    async with STAGES[kind](tmp_path) as stage:
        await handed(stage.make(), times=2)
        await handed(stage.make())
        await stage.settle()
        assert set(stage.got()) == {DELIVERY}


@every_kind
async def test_it_may_be_closed_twice_and_without_being_opened(kind: str, tmp_path: Path) -> None:
    async with STAGES[kind](tmp_path) as stage:
        await stage.make().close()
        sink = stage.make()
        await sink.open()
        await sink.close()
        await sink.close()


@every_kind
async def test_it_says_its_name_and_how_much_it_takes_at_once(kind: str, tmp_path: Path) -> None:
    async with STAGES[kind](tmp_path) as stage:
        sink = stage.make()
        assert (sink.name, sink.parallel > 0) == ("a", True)


async def refused(stage: Stage, how: str) -> DeliveryError:
    assert stage.refuse is not None
    stage.refuse(how)
    with pytest.raises(DeliveryError) as caught:
        await handed(stage.make())
    return caught.value


@pytest.mark.parametrize("kind", REFUSING)
async def test_a_peer_that_may_take_it_later_is_asked_again_and_a_refusal_is_final(
    kind: str, tmp_path: Path
) -> None:
    async with STAGES[kind](tmp_path) as stage:
        assert stage.refuse is not None
        expected = {"later": Retryable, "final": Permanent}
        for how in stage.ways:
            assert type(await refused(stage, how)) is expected[how]
        stage.refuse("")
        await handed(stage.make())
        await stage.settle()
        assert stage.got()[-1] == DELIVERY


@every_kind
async def test_no_secret_is_in_what_it_prints_logs_or_raises(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = io.StringIO()
    set_up_logs("debug", "json", stream=said)
    async with STAGES[kind](tmp_path) as stage:
        sink = stage.make()
        texts = [repr(sink), str(vars(sink))]
        if stage.refuse is not None:
            for how in stage.ways:
                error = await refused(stage, how)
                texts += [str(error), repr(error), error.detail, repr(error.__cause__)]
                structlog.get_logger("t").warning("failed", detail=error.detail, error=repr(error))
    shown = capsys.readouterr()
    assert CANARY not in "".join([*texts, said.getvalue(), shown.out, shown.err])


@every_kind
async def test_a_body_it_cannot_read_harms_nothing(kind: str, tmp_path: Path) -> None:
    async with STAGES[kind](tmp_path) as stage:
        sink = stage.make()
        await sink.open()
        with suppress(Permanent):  # what passes bodies on as they are takes it
            await sink.send("x1", b"[]", 1)
        await sink.send(DELIVERY, BODY, 1)
        await sink.close()
        await stage.settle()
        assert stage.got()[-1] == DELIVERY


def test_the_table_names_modules_that_have_options_and_build() -> None:
    for kind in SINKS:
        module = module_of(SINKS[kind])
        assert module.Options.model_fields["kind"].default == kind
        assert callable(module.build)


def test_kinds_of_ours_are_all_in_the_tables() -> None:
    assert {"file", "http", "kafka"} <= set(source_kinds())
    assert set(SINKS) <= set(sink_kinds())
