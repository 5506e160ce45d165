"""One command starts and stops a real Apache Kafka (KRaft) for tests, proofs and the demo.

    python tests/broker/kafka.py start [--brokers 3] [--secure FOLDER] [--home FOLDER]
    python tests/broker/kafka.py stop | status [--home FOLDER]
    python tests/broker/kafka.py kill-node | stop-node | start-node --node 2 [--home FOLDER]

`start` prints the bootstrap address and nothing else, and starts nothing when one already runs.
Three brokers keep three copies of everything and want two of them in sync; a dead one is missed
after 3 s (Kafka's default is 9 s). `--secure` takes a folder with `broker.pem` (PKCS #8 key and
chain), `ca.pem`, and perhaps `expired.pem`; then the printed address speaks TLS and wants a user:
`forewarn` may do everything, `stranger` nothing, the password of both is their name and `-secret`.
Further listeners stand in `listeners.json`.

Needs Java 17 and Maven; the jars come from Maven Central by the `pom.xml` beside this file.
Standard library only, so that it runs before anything is installed.
"""

import argparse
import base64
import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:build-classpath"
JVM = ("-Xms128m", "-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
JVM_LASTING = ("-Xms1g", "-Xmx1g", "-Xmn384m", "-XX:+UseSerialGC", "-Xshare:auto")
"""For what is measured: compiled in full as in production, which costs the first minute."""
READY_S = 60.0
USERS = ("forewarn", "stranger")
CLUSTER = "Zm9yZXdhcm4tdGVzdC1rYQ"  # 16 bytes in URL-safe base64, as KRaft wants it

SETTINGS = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners={listeners},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={listeners}
listener.security.protocol.map={protocols},CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name={inner}
log.dirs={data}
auto.create.topics.enable=false
num.partitions=1
num.network.threads=2
num.io.threads=4
default.replication.factor={copies}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=2000
log.cleaner.dedupe.buffer.size=16777216
log.retention.ms=-1
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
{more}"""

SECURE = """\
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:forewarn
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
listener.name.mutual.ssl.client.auth=required
listener.name.expired.ssl.keystore.type=PEM
listener.name.expired.ssl.keystore.location={folder}/{expired}
"""

SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required {users};"

LOGGING = """\
log4j.rootLogger=WARN, file
log4j.appender.file=org.apache.log4j.FileAppender
log4j.appender.file.File={log}
log4j.appender.file.layout=org.apache.log4j.PatternLayout
log4j.appender.file.layout.ConversionPattern=%d %p %m (%c)%n
"""


class Unusable(Exception):
    """The broker cannot be run here; the message says what is missing."""


def missing() -> str:
    """What this machine lacks to run the broker, in words, or nothing."""
    tools = {"Java 17": "java", "Maven": "mvn"}
    lacks = [name for name, tool in tools.items() if not shutil.which(tool)]
    return f"the test broker needs {' and '.join(lacks)}, not found on the path" if lacks else ""


def default_home() -> Path:
    """The scratch folder of the broker that tests of one user share."""
    return Path(tempfile.gettempdir()) / f"forewarn-kafka-{os.getuid()}"


def address(home: Path) -> str:
    """The bootstrap address of what runs from `home`, or nothing if no node of it answers."""
    with contextlib.suppress(OSError, ValueError):
        bootstrap = (home / "bootstrap").read_text().strip()
        if any(_alive(node) for node in _nodes(home)):
            return bootstrap
    return ""


def start(
    home: Path, brokers: int = 1, secure: Path | None = None, *, lasting: bool = False
) -> str:
    """Start what does not run yet; answers the bootstrap address once it takes connections."""
    running = address(home)
    if running:
        return running
    lacking = missing()
    if lacking:
        raise Unusable(lacking)
    stop(home)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    _lay_out(home, brokers, secure)
    if lasting:
        for node in _nodes(home):
            (node / "lasting").touch()
    _format(home, secure=secure is not None)
    for node in _nodes(home):
        _launch(node)
    for node in _nodes(home):
        _await(node)
    return (home / "bootstrap").read_text()


def stop(home: Path) -> None:
    """Stop all that runs from `home`, and forget its data."""
    for node in _nodes(home):
        _signal(node, signal.SIGKILL)  # scratch data: nothing to save
    for node in _nodes(home):
        _gone(node)
    shutil.rmtree(home, ignore_errors=True)


def end_node(node: Path, number: signal.Signals) -> None:
    """End one broker (at once by SIGKILL, in good order by SIGTERM); its data stays."""
    _signal(node, number)
    _gone(node)


def _signal(node: Path, number: signal.Signals) -> None:
    with contextlib.suppress(OSError, ValueError):
        os.kill(int((node / "pid").read_text()), number)


def _gone(node: Path) -> None:
    """Wait for the end of a process, at most half a minute."""
    for _ in range(600):
        if not _lives(node):
            return
        time.sleep(0.05)


def start_node(node: Path) -> None:
    """Start one broker again on its old data; returns when it takes connections."""
    if not _alive(node):
        _launch(node)
        _await(node)


def node_of(home: Path, number: int) -> Path:
    """The folder of one broker."""
    return home / f"node-{number}"


def _nodes(home: Path) -> list[Path]:
    return sorted(home.glob("node-*"))


def _alive(node: Path) -> bool:
    """Whether a broker's process lives and answers."""
    return _lives(node) and _answers((node / "probe").read_text())


def _lay_out(home: Path, brokers: int, secure: Path | None) -> None:
    """Choose ports and write every broker's settings."""
    kinds = {"BROKER": "PLAINTEXT"}
    if secure is not None:
        kinds = {"BROKER": "SASL_SSL", "MUTUAL": "SSL", "EXPIRED": "SSL", "INNER": "PLAINTEXT"}
    inner = "BROKER" if secure is None else "INNER"
    ports = _free_ports(brokers * (len(kinds) + 1))
    numbers = range(1, brokers + 1)
    controllers = {number: ports.pop() for number in numbers}
    places = {n: {kind: f"127.0.0.1:{ports.pop()}" for kind in kinds} for n in numbers}
    voters = ",".join(f"{n}@127.0.0.1:{port}" for n, port in controllers.items())
    for number in numbers:
        node = node_of(home, number)
        (node / "data").mkdir(parents=True)
        text = SETTINGS.format(
            node=number,
            voters=voters,
            controller=controllers[number],
            listeners=",".join(f"{kind}://{place}" for kind, place in places[number].items()),
            protocols=",".join(f"{kind}:{protocol}" for kind, protocol in kinds.items()),
            inner=inner,
            data=node / "data",
            copies=min(brokers, 3),
            in_sync=2 if brokers > 2 else 1,
            more="" if secure is None else _secured(secure),
        )
        (node / "server.properties").write_text(text, "utf-8")
        (node / "log4j.properties").write_text(LOGGING.format(log=node / "kafka.log"), "utf-8")
        (node / "probe").write_text(places[number][inner])
    every = {kind: ",".join(places[number][kind] for number in numbers) for kind in kinds}
    (home / "listeners.json").write_text(json.dumps(every, indent=1))
    (home / "bootstrap").write_text(every["BROKER"])


def _secured(folder: Path) -> str:
    """Settings for certificates and users."""
    expired = "expired.pem" if (folder / "expired.pem").exists() else "broker.pem"
    text = SECURE.format(folder=folder.resolve(), expired=expired)
    plain = PLAIN.format(users=" ".join(f'user_{user}="{user}-secret"' for user in USERS))
    for mechanism, module in (
        ("plain", plain), ("scram-sha-256", SCRAM), ("scram-sha-512", SCRAM)
    ):  # fmt: skip
        text += f"listener.name.broker.{mechanism}.sasl.jaas.config={module}\n"
    return text


def _format(home: Path, *, secure: bool) -> None:
    """Prepare the data folders. Only the first one pays for a Java process."""
    first, *others = _nodes(home)
    users = [
        f"{mechanism}=[name={user},password={user}-secret]"
        for user in USERS
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
        if secure
    ]
    asked = [part for user in users for part in ("--add-scram", user)]
    settings = str(first / "server.properties")
    tool = ["kafka.tools.StorageTool", "format", "-c", settings, "-t", CLUSTER, *asked]
    _run([*_java(first), *tool])
    for node in others:
        shutil.copytree(first / "data", node / "data", dirs_exist_ok=True)
        meta = node / "data" / "meta.properties"
        own = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
        fixed = {"node.id": node.name.removeprefix("node-"), "directory.id": own}
        lines = [line.split("=", 1) for line in meta.read_text().splitlines() if "=" in line]
        told = {**{key: value for key, value in lines if not key.startswith("#")}, **fixed}
        meta.write_text("".join(f"{key}={value}\n" for key, value in told.items()))


def _java(node: Path) -> list[str]:
    machine = JVM_LASTING if (node / "lasting").exists() else JVM
    return ["java", *machine, f"-Dlog4j.configuration=file:{node / 'log4j.properties'}", "-cp",
            _classpath()]  # fmt: skip


def _launch(node: Path) -> None:
    with (node / "out.log").open("ab") as out:
        server = subprocess.Popen(
            [*_java(node), "kafka.Kafka", str(node / "server.properties")],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    (node / "pid").write_text(str(server.pid))


def _await(node: Path) -> None:
    end = time.monotonic() + READY_S
    while not _alive(node):
        if not _lives(node) or time.monotonic() > end:
            message = f"the broker did not come up; see {node / 'out.log'} and {node / 'kafka.log'}"
            raise Unusable(message)
        time.sleep(0.1)


def _lives(node: Path) -> bool:
    """Whether the process is there, and not only its grave."""
    with contextlib.suppress(OSError, ValueError):
        pid = int((node / "pid").read_text())
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def _classpath() -> str:
    """The jars, resolved by Maven once for each version of the pom."""
    pom = HERE / "pom.xml"
    name = hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "forewarn"
    kept = cache / f"kafka-{name}.classpath"
    if kept.exists() and all(Path(jar).exists() for jar in kept.read_text().strip().split(":")):
        return kept.read_text().strip()
    cache.mkdir(parents=True, exist_ok=True)
    _run(["mvn", "-B", "-q", "-f", str(pom), PLUGIN, f"-Dmdep.outputFile={kept}"])
    return kept.read_text().strip()


def _run(command: list[str]) -> None:
    """Run to the end; a failure shows what the tool printed."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        message = f"'{Path(command[0]).name}' failed:\n{(done.stdout + done.stderr)[-2000:]}"
        raise Unusable(message)


def _free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _answers(bootstrap: str) -> bool:
    """Whether the broker answers an ApiVersions request there."""
    host, port = bootstrap.rsplit(":", 1)
    request = b"\x00\x12\x00\x00\x00\x00\x00\x01\x00\x04ping"  # key 18, version 0, id 1, client
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1) as peer:
        peer.settimeout(2)
        peer.sendall(len(request).to_bytes(4, "big") + request)
        return len(peer.recv(8)) > 0
    return False


def main(arguments: list[str]) -> int:
    """0 done, 4 the machine cannot run it; `status` answers 1 when nothing runs."""
    parser = argparse.ArgumentParser(description="the test broker")
    parser.add_argument(
        "command", choices=["start", "stop", "status", "kill-node", "stop-node", "start-node"]
    )
    parser.add_argument("--home", type=Path, default=None)
    parser.add_argument("--brokers", type=int, default=1)
    parser.add_argument("--secure", type=Path, default=None, metavar="FOLDER")
    parser.add_argument("--node", type=int, default=1)
    parser.add_argument("--lasting", action="store_true", help="for measuring: compiled in full")
    options = parser.parse_args(arguments)
    home: Path = options.home or default_home()
    try:
        match options.command:
            case "start":
                print(start(home, options.brokers, options.secure, lasting=options.lasting))
            case "stop":
                stop(home)
            case "status":
                print(address(home) or "not running")
                return 0 if address(home) else 1
            case "kill-node":
                end_node(node_of(home, options.node), signal.SIGKILL)
            case "stop-node":
                end_node(node_of(home, options.node), signal.SIGTERM)
            case "start-node":
                start_node(node_of(home, options.node))
    except Unusable as problem:
        print(problem, file=sys.stderr)
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
