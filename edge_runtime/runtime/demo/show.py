"""The demo: the daemon's node, whole, with a broker and a subscriber of its own around it.

    simulated street ─► node (model, tracker, lines, SQLite spool) ─► embedded broker ─► subscriber ─► what is shown
          └────────────────────────── truth ──────────────────────────────────────────────────────────────┘

Nothing is shown but what came over MQTT, and, beside it, what really happened. One thread: `turn` is called again and again.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edge_runtime.clock import SystemClock
from edge_runtime.errors import CannotStart, ConfigError, Problem, SourceError
from edge_runtime.runtime.demo.broker import EmbeddedBroker
from edge_runtime.runtime.demo.device import DemoOptions, write_device
from edge_runtime.runtime.demo.heard import Health, Heard
from edge_runtime.runtime.demo.score import Comparison, compare
from edge_runtime.runtime.demo.truth import Truth, truth_of
from edge_runtime.runtime.listening import Listener, Login
from edge_runtime.runtime.notify import Notifier
from edge_runtime.runtime.pulse import Pulses
from edge_runtime.runtime.supervisor import Supervisor
from edge_runtime.sources import SourceSpec

if TYPE_CHECKING:
    from edge_runtime.config.check import Plan
    from edge_runtime.config.schema import CameraConfig, Config
    from edge_runtime.runtime.camera import CameraRun
    from edge_runtime.runtime.node import Node

_log = logging.getLogger("edge_runtime.demo")

PROTOCOL: Literal["3.1.1"] = "3.1.1"  # the embedded broker knows no other
DRAIN_S = 10.0
QUIET_S = 2.0  # for the last messages to arrive after the node has said goodbye
SUPERVISE_S = 1.0
WARNINGS = 3  # that are kept to be shown


@dataclass(frozen=True, slots=True)
class Sight:
    """What there is to see now. Times since `start`, seconds."""

    elapsed_s: float
    simulated: bool
    wanted_fps: float
    first_count_s: float | None
    health: Health
    messages: int
    comparison: Comparison
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """How it went, after everything has ended."""

    sight: Sight
    clean: bool  # nothing hung
    windows_agree: bool  # the count windows sum up to the crossings that were heard


class Demo:
    """`start`, `turn` until it is `over` or somebody has seen enough, `finish`; `close` in any case (it is a context manager)."""

    def __init__(self, options: DemoOptions, *, port: int = 0, frames: int | None = None) -> None:
        """`port`: of the broker, 0 any that is free. `frames`: end when so many were taken from the camera."""
        self.options = options
        self.broker = EmbeddedBroker(port)
        self.rules: list[tuple[str, str]] = []
        self.words: dict[tuple[str, str], str] = {}  # the user's own, for a line's direction
        self.wanted_fps = 0.0
        self.classes: tuple[str, ...] = ()
        self.source_shown = ""  # without its login
        self._frames = frames
        self._stack = ExitStack()
        self._heard = Heard()
        self._warnings = Warnings()
        self._pulses = Pulses()
        self._truth: Truth | None = None
        self._node: Node
        self._run: CameraRun
        self._supervisor: Supervisor
        self._listener: Listener
        self._began_s = time.monotonic()
        self._first_count_s: float | None = None
        self._supervised_s = 0.0
        self._stopped_s: float | None = None  # wall time
        self._closed = False
        self._clean = False

    def start(self) -> None:
        """Everything comes to life. Raises ConfigError, BundleError, CannotStart; `close` lets go of what was begun."""
        self._began_s = time.monotonic()
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-runtime-demo-")))
        self._stack.enter_context(self._warnings)
        self.broker.start()
        self._stack.callback(self.broker.close)
        config, plan = self._configured(folder / "device.toml")
        camera = config.camera[0]
        self.wanted_fps = camera.fps
        self.classes = camera.classes or ()
        self.source_shown = SourceSpec.of(camera).shown
        self._name_rules(camera)
        if self.options.camera is not None:
            _try(camera)
        self._listener = Listener(self.broker.url, Login(protocol=PROTOCOL))
        self._listener.start()
        self._stack.callback(self._listener.close)
        self._bring_up(config, plan)

    def turn(self, wait_s: float) -> None:
        """Take the messages of the next `wait_s` seconds, and look after the node as the daemon's main thread does."""
        now_s = time.monotonic()
        if now_s - self._supervised_s >= SUPERVISE_S:
            self._supervised_s = now_s
            self._supervisor.turn()
        self._take_until(now_s + wait_s)
        if self._truth is not None and self._run.restarts:
            self._truth = None
            _log.warning("the camera was begun anew: from here on truth and count are no longer of the same street, so only the count is shown")

    @property
    def over(self) -> bool:
        """The frames that were asked for were taken, or the footage ended."""
        return self._run.state == "ended"

    @property
    def simulated(self) -> bool:
        """Whether nothing that is shown was filmed."""
        return self.options.camera is None or self.options.camera.lower().startswith("sim:")

    def sight(self) -> Sight:
        """What there is to see now."""
        true = None if self._truth is None else self._truth.ledger()
        last_s = time.time() if self._stopped_s is None else self._stopped_s
        first_s = last_s if self._truth is None else self._truth.began_s
        return Sight(
            elapsed_s=time.monotonic() - self._began_s,
            simulated=self.simulated,
            wanted_fps=self.wanted_fps,
            first_count_s=self._first_count_s,
            health=self._heard.health,
            messages=self._heard.messages,
            comparison=compare(self._heard.crossings, true, self.rules, (first_s, last_s)),
            warnings=self._warnings.latest,
        )

    def finish(self) -> Summary:
        """End as the daemon does: the street stops, what was seen is counted, spooled and delivered; then compare."""
        elapsed_s = time.monotonic() - self._began_s
        self._supervisor.tell_health()
        self._stopped_s = time.time()
        clean = self._close_node()
        end_s = time.monotonic() + QUIET_S
        while self._heard.status != "offline" and time.monotonic() < end_s:
            self._take_until(time.monotonic() + 0.05)
        while self._take():
            pass
        sight = self.sight()
        health = replace(
            sight.health,
            processed=self._run.lane.counters.processed,
            acked=int(self._node.publisher.stats()["acked"]),
            spool_depth=int(self._node.recorder.stats()["depth"]),
        )
        rows = zip(self.rules, sight.comparison.rows, strict=True)
        agree = all(self._heard.windows[rule] == sum(row.counted.values()) for rule, row in rows)
        return Summary(replace(sight, elapsed_s=elapsed_s, health=health), clean, agree)

    def close(self) -> None:
        """Let go of everything that is still held: the node, the subscriber, the broker, the folder. Bounded; idempotent."""
        self._stack.close()

    def __enter__(self) -> Demo:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- inside ----------------------------------------------------------------------------------------------------------------

    def _configured(self, file: Path) -> tuple[Config, Plan]:
        from edge_runtime.config.check import make_plan, require_sound
        from edge_runtime.config.load import load

        write_device(self.options, file, self.broker.url, protocol=PROTOCOL)
        try:
            loaded = load(file)
            require_sound(loaded)
        except ConfigError as error:
            if self.options.camera is None:
                raise
            raise ConfigError([Problem("--camera", 0, "", problem.message) for problem in error.problems]) from None
        return loaded.config, make_plan(loaded.config)

    def _name_rules(self, camera: CameraConfig) -> None:
        for line in camera.line:
            for way, word in (("forward", line.forward), ("backward", line.backward)):
                self.rules.append((line.name, way))
                self.words[line.name, way] = word or way

    def _bring_up(self, config: Config, plan: Plan) -> None:
        from edge_runtime.runtime.node import Node

        self._node = Node(config, plan, SystemClock(), self._pulses)
        self._node.open()
        self._stack.callback(self._close_node)
        self._run = next(iter(self._node.cameras.values()))
        self._run.limit(self._frames)
        self._truth = truth_of(self._run)
        self._node.start()
        self._supervisor = Supervisor(self._node, self._pulses, Notifier())

    def _close_node(self) -> bool:
        if not self._closed:
            self._closed = True
            self._clean = self._node.close(DRAIN_S)
        return self._clean

    def _take_until(self, end_s: float) -> None:
        while (left_s := end_s - time.monotonic()) > 0:
            self._take(left_s)

    def _take(self, wait_s: float = 0.0) -> bool:
        received = self._listener.get(wait_s)
        if received is None:
            return False
        self._heard.take(received.topic, received.payload)
        if self._first_count_s is None and self._heard.crossings.total:
            self._first_count_s = time.monotonic() - self._began_s
        return True


def _try(camera: CameraConfig) -> None:
    """Raises CannotStart when the camera sends no picture: that is better said before everything else stands than in a corner of a table."""
    from edge_runtime.runtime.online import try_camera

    try:
        try_camera(camera)
    except SourceError as error:
        raise CannotStart(f"--camera {error}") from None


class Warnings(logging.Handler):
    """The newest warnings of the package, to be shown where a log line would tear up the picture. Attached while it is entered."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._latest: deque[str] = deque(maxlen=WARNINGS)

    @property
    def latest(self) -> tuple[str, ...]:
        """The newest last."""
        return tuple(self._latest)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self._latest.append(record.getMessage().partition("\n")[0])

    def __enter__(self) -> Warnings:
        logging.getLogger("edge_runtime").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("edge_runtime").removeHandler(self)
