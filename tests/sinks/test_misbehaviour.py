"""Twelve misbehaviours of a peer x every sink on a network, through the real outbox.

Whatever the peer does: nothing is lost, the order of each episode is kept, another sink gets all of
its own meanwhile, and once the peer behaves it has everything.
"""

from pathlib import Path
from types import SimpleNamespace

import pytest
from certificates import make_certificates
from daemon_stage import FAST, MoodySink, a_store
from mishap_stage import TABLE, context_of, drained, stage_of, story, until, whole
from mishaps import NAME, NameService

from engine.edge.metrics import Metrics
from engine.edge.outbox import Senders


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder, NAME)
    return folder


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # libraries', when TLS fails
@pytest.mark.parametrize(("kind", "mishap"), TABLE, ids=str)
async def test_nothing_is_lost_order_is_kept_and_nobody_else_waits(
    kind: str, mishap: str, tmp_path: Path, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = NameService()
    monkeypatch.setattr("socket.getaddrinfo", names)
    monkeypatch.setattr("connectors.robots.Duration", SimpleNamespace(SECOND=10, MINUTE=600))
    (tmp_path / "ca.pem").write_bytes((certificates / "ca.pem").read_bytes())
    changes = story()
    async with stage_of(kind, tmp_path) as stage, a_store(tmp_path, "victim", "quick") as store:
        secure = mishap == "wrong-tls"
        if secure:
            stage.front.good = context_of(certificates / "broker.pem")
            stage.front.bad = context_of(certificates / "strange.pem")
        await stage.front.set(mishap)
        names.is_away = mishap == "dns"
        victim, quick = stage.make(secure), MoodySink("quick")
        victim.name = "victim"
        senders = Senders([victim, quick], store, FAST, Metrics())
        failures: list[str] = []
        monkeypatch.setattr(Metrics, "delivered", lambda _, sink, result, __: failures.append(
            result) if sink == "victim" else None)  # fmt: skip
        await senders.start()
        await store.accept(changes, {})
        most = len(changes) if mishap == "redirect" else 2  # what is refused for good is over
        await until(lambda: len(quick.taken) == len(changes) and len(failures) >= most)
        assert "sent" not in failures
        await stage.front.set("")
        names.is_away = False
        await drained(senders, store)
        await senders.stop(5.0)
        found = [whole(one, changes) for one in stage.got()]
        assert quick.taken == list(dict.fromkeys(quick.taken))
    first = list(dict.fromkeys(found))
    assert sorted(first) == sorted(one.delivery_id for one in changes)
    for key in "abc":
        own = [one.delivery_id for one in changes if one.key == key]
        assert [one for one in first if one in own] == own
