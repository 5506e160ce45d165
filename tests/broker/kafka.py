"""One command starts and stops a real Apache Kafka (KRaft, one node) for tests and the demo.

    python tests/broker/kafka.py start|stop|status [--home FOLDER]

`start` prints the bootstrap address and nothing else, and starts nothing when one already runs.
Needs Java 17 and Maven; the jars come from Maven Central by the `pom.xml` beside this file.
Standard library only, so that it runs before anything is installed.
"""

import argparse
import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:build-classpath"
JVM = ("-Xms256m", "-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
READY_S = 60.0

SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=BROKER://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=BROKER://127.0.0.1:{broker}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=BROKER
log.dirs={data}
auto.create.topics.enable=false
num.partitions=1
num.network.threads=2
num.io.threads=4
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=2000
log.cleaner.dedupe.buffer.size=16777216
log.retention.ms=-1
"""

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
    """The bootstrap address of the broker that runs from `home`, or nothing."""
    with contextlib.suppress(OSError, ValueError):
        pid = int((home / "pid").read_text())
        os.kill(pid, 0)
        bootstrap = (home / "bootstrap").read_text().strip()
        if _answers(bootstrap):
            return bootstrap
    return ""


def start(home: Path) -> str:
    """Start the broker unless it runs; answers its bootstrap address once it takes connections."""
    running = address(home)
    if running:
        return running
    lacking = missing()
    if lacking:
        raise Unusable(lacking)
    stop(home)
    shutil.rmtree(home, ignore_errors=True)
    (home / "data").mkdir(parents=True)
    broker, controller = _free_ports(2)
    settings, logging = home / "server.properties", home / "log4j.properties"
    settings.write_text(
        SETTINGS.format(broker=broker, controller=controller, data=home / "data"), "utf-8"
    )
    logging.write_text(LOGGING.format(log=home / "kafka.log"), "utf-8")
    java = ["java", *JVM, f"-Dlog4j.configuration=file:{logging}", "-cp", _classpath()]
    _run([*java, "kafka.tools.StorageTool", "format", "-c", str(settings), "-t", _cluster_id()])
    with (home / "out.log").open("wb") as out:
        server = subprocess.Popen(
            [*java, "kafka.Kafka", str(settings)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    (home / "pid").write_text(str(server.pid))
    bootstrap = f"127.0.0.1:{broker}"
    end = time.monotonic() + READY_S
    while not _answers(bootstrap):
        if server.poll() is not None or time.monotonic() > end:
            message = f"the broker did not come up; see {home / 'out.log'} and {home / 'kafka.log'}"
            raise Unusable(message)
        time.sleep(0.1)
    (home / "bootstrap").write_text(bootstrap)
    return bootstrap


def stop(home: Path) -> None:
    """Stop the broker that runs from `home`, if any, and forget its data."""
    with contextlib.suppress(OSError, ValueError):
        pid = int((home / "pid").read_text())
        os.kill(pid, signal.SIGKILL)  # scratch data: nothing to save
        for _ in range(50):
            os.kill(pid, 0)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            time.sleep(0.1)
    shutil.rmtree(home, ignore_errors=True)


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


def _cluster_id() -> str:
    """A fixed cluster id: 16 bytes in URL-safe base64, as KRaft wants it."""
    return "Zm9yZXdhcm4tdGVzdC1rYQ"


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
    parser.add_argument("command", choices=["start", "stop", "status"])
    parser.add_argument("--home", type=Path, default=None)
    options = parser.parse_args(arguments)
    home: Path = options.home or default_home()
    if options.command == "stop":
        stop(home)
        return 0
    if options.command == "status":
        print(address(home) or "not running")
        return 0 if address(home) else 1
    try:
        print(start(home))
    except Unusable as problem:
        print(problem, file=sys.stderr)
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
