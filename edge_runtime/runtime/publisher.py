"""The publisher: the one thread that owns the line to the broker.

recorder ──take──► window ──► broker ──PUBACK──► settle ──► recorder deletes
              ▲                 │
              └── rewind ◄── connection lost: what was not answered is offered again

status   retained: "online" at each connect, "offline" at the end, and by the broker (Last Will) when the process or the line dies
retained what `retain` was given, again after each connect
now      what is not spooled: dropped, and counted, when it cannot leave at once
answers  to commands, see desk.py
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping

from edge_runtime.deliver.link import Link, LinkState, Message
from edge_runtime.deliver.mqtt import MqttOptions, MqttSink
from edge_runtime.deliver.suspects import Poison, Refusals
from edge_runtime.present.envelope import Enveloper
from edge_runtime.runtime.desk import Desk
from edge_runtime.runtime.pulse import Pulses
from edge_runtime.runtime.recorder import Recorder
from edge_runtime.types import Json, Settlement, SpooledRow

_log = logging.getLogger("edge_runtime.publisher")

NOW_WAITING = 256
MAX_RETAINED = 256
MAX_REFUSED = 16  # topics that are named in `stats`
TURN_S = 5.0
GOODBYE_SHARE = 0.4  # of the time to close, for the status and the disconnect
TIMED = ("clock", "tls-not-yet-valid")  # causes whose reason names the present time: another one at each try


class Publisher:
    """`publish_now`, `retain` and `stats` from any thread."""

    def __init__(
        self, mqtt: MqttOptions, enveloper: Enveloper, client_id: str, recorder: Recorder, pulses: Pulses, *, sink: Link | None = None
    ) -> None:
        """`sink` stands in for the broker where there is none. Raises ConfigError for a URL that is none."""
        self._status = enveloper.topic("status")
        self._sink = sink or MqttSink(mqtt, client_id, Message(self._status, b"offline", 1, True), enveloper.topic("cmd"), recorder.clock)
        self.desk = Desk(enveloper.topic("reply"))
        self._url = mqtt.url
        self._recorder = recorder
        self._pulses = pulses
        self._lock = threading.Lock()  # guards what other threads give: _retained, _to_retain, _now
        self._retained: dict[str, bytes] = {}
        self._to_retain: dict[str, Message] = {}  # by topic: the newest counts
        self._now: deque[Message] = deque()
        self._link = LinkState()
        self._said = ""
        self._in_flight: dict[int, SpooledRow] = {}
        self._again: deque[SpooledRow] = deque()  # at most a window: what the sink had no room for, or what is due again
        self._answered = False  # by this connection
        self._refusals = Refusals()
        self._refused: dict[str, str] = {}  # topic -> why the broker does not take it; at most MAX_REFUSED
        self._last_refused = ""  # the topic of its last answer, if that was a refusal
        self._poison = Poison()
        self._counts = {"sent": 0, "acked": 0, "rejected": 0, "buried": 0, "now_sent": 0, "now_dropped": 0}
        self._end_s: float | None = None
        self._cut_s = 0.0
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    # -- for the node ----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to reach the broker. Returns at once."""
        self._recorder.listen(self._sink.wake)
        self.desk.attend(self._sink.wake)
        self._thread.start()

    def publish_now(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
        """Send without the spool; dropped, and counted, when there is no connection or too much waits."""
        with self._lock:
            if self._link.name != "connected":
                self._counts["now_dropped"] += 1
                return
            if len(self._now) >= NOW_WAITING:
                self._now.popleft()
                self._counts["now_dropped"] += 1
            self._now.append(Message(topic, payload, qos, retain))
        self._sink.wake()

    def retain(self, topic: str, payload: bytes) -> None:
        """Publish retained with QoS 1, now and again after each connect; the newest payload of a topic counts."""
        with self._lock:
            if topic not in self._retained and len(self._retained) >= MAX_RETAINED:
                raise ValueError(f"{topic}: more than {MAX_RETAINED} retained topics")
            self._retained[topic] = payload
            if self._link.name == "connected":
                self._to_retain[topic] = Message(topic, payload, 1, True)
        self._sink.wake()

    def stats(self) -> Mapping[str, Json]:
        """Numbers for `health`. `cause` is a key of link.CAUSES: what is wrong with the line, or null."""
        link = self._link
        refused = dict(self._refused)
        reason = link.reason or link.refused or "; ".join(f"{topic}: {why}" for topic, why in list(refused.items())[:1])
        return {
            "state": link.name,
            "cause": link.cause or ("refused" if reason and link.name == "connected" else None),
            "reason": reason,
            "refused": refused,
            "reconnects": max(0, link.connects - 1),
            "in_flight": len(self._in_flight),
            **self._counts,
            "commands": {"done": self.desk.done, "failed": self.desk.failed},
        }

    def close(self, deadline_s: float) -> None:
        """Send what can be sent, say "offline", disconnect: all within `deadline_s`. Idempotent."""
        now_s = time.monotonic()
        self._cut_s = now_s + (1 - GOODBYE_SHARE) * deadline_s
        self._end_s = now_s + deadline_s
        self._sink.wake()
        if self._thread.is_alive():
            self._thread.join(deadline_s + 0.5)
            if self._thread.is_alive():
                _log.error("the line to the broker did not end within %.1f s", deadline_s)
        elif self._thread.ident is None:
            self._sink.close(0.0)

    # -- the thread ------------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._sink.connect()
        while not self._finished():
            self._pulses.beat("publisher")
            self._turn()
            self._sink.wait(self._patience_s())
        self._say_goodbye()
        self._pulses.retire("publisher")  # only after an orderly end: a loop that died must be missed

    def _turn(self) -> None:
        self._hear()
        link = self._sink.state
        if link != self._link:
            self._become(link)
        for request in self.desk.take(self._sink.requests()):
            self._sink.acknowledge(request)
        if link.name == "connected":
            self._send_retained()
            self._send_answers()
            self._send_now()
            self._send_rows()

    def _patience_s(self) -> float:
        wait_s = min(TURN_S, self._refusals.next_s - time.monotonic())
        return max(0.0, wait_s if self._end_s is None else min(wait_s, 0.05))

    def _finished(self) -> bool:
        if self._end_s is None:
            return False
        if self._link.name != "connected" or time.monotonic() >= self._cut_s:
            return True
        return self._recorder.drained and not (self._in_flight or self._again or self._to_retain or self.desk.owes)

    def _say_goodbye(self) -> None:
        end_s = self._end_s or time.monotonic()
        farewell = Message(self._status, b"offline", 1, True)
        told = False
        while self._sink.state.name == "connected" and time.monotonic() < end_s:
            self._hear()
            told = told or self._sink.tell(farewell)
            if told and not self._sink.untold:
                break
            self._sink.wait(0.05)
        self._sink.close(max(0.1, end_s - time.monotonic()))
        self._link = self._sink.state

    # -- the connection --------------------------------------------------------------------------------------------------------

    def _become(self, link: LinkState) -> None:
        before = self._link
        lost = before.name == "connected" and (link.name != "connected" or link.connects != before.connects)
        if lost:
            self._lost()
        with self._lock:
            self._link = link
            if link.name != "connected":
                self._counts["now_dropped"] += len(self._now)
                self._now.clear()
                self._to_retain.clear()
            elif lost or before.name != "connected":
                payloads = {self._status: b"online", **self._retained}
                self._to_retain = {topic: Message(topic, payload, 1, True) for topic, payload in payloads.items()}
        self._say(link)

    def _say(self, link: LinkState) -> None:
        """One line for each change, not one for each try."""
        text = link.name if link.name == "connected" else link.cause if link.cause in TIMED else link.reason
        if link.name == "connecting" or text == self._said:
            return
        self._said = text
        if link.name == "connected":
            _log.info("connected to the broker at %s", self._url)
        else:
            _log.warning("no broker (%s): %s; messages wait in the spool", link.cause, link.reason)

    def _lost(self) -> None:
        self._poison.lost(list(self._in_flight), self._answered)
        self._answered = False
        self._in_flight.clear()
        self._again.clear()
        self._refusals.forget()
        # The next broker may have another ACL. What waits to be tried again stays, and so does what this one ended the connection with.
        self._refused = {topic: why for topic, why in self._refused.items() if topic == self._last_refused or self._refusals.holds(topic)}
        self.desk.forget()
        self._recorder.rewind()
        for topic in self._refusals.topics:
            self._recorder.pause(topic, True)

    # -- rows ------------------------------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        accepted = [settlement.seq for settlement in self._sink.settled() if self._settle(settlement)]
        if accepted:
            self._counts["acked"] += len(accepted)
            self._recorder.settle(accepted)

    def _settle(self, settlement: Settlement) -> bool:
        """Whether the row is delivered."""
        row = self._in_flight.pop(settlement.seq, None)
        if row is None:
            return False
        if settlement.answered:
            self._hear_answer(settlement.seq)
        self._last_refused = "" if settlement.accepted else row.topic
        if settlement.accepted:
            self._refusals.taken(row.topic)
            self._refused.pop(row.topic, None)
            return True
        self._counts["rejected"] += 1
        if settlement.final and self._refused.get(row.topic) != settlement.why:
            _log.error("%s: %s: what is so goes to the spool's dead table, and gaps say so", row.topic, settlement.why)
        if len(self._refused) < MAX_REFUSED or row.topic in self._refused:
            self._refused[row.topic] = settlement.why
        if not settlement.final and self._refusals.refused(row, settlement.why, time.monotonic()):
            self._recorder.pause(row.topic, True)
        else:
            self._bury(row.seq, settlement.why)
        return False

    def _hear_answer(self, seq: int) -> None:
        self._answered = True
        for guilty in sorted(self._poison.taken(seq)):
            _log.error("message %d ends the connection whenever it is sent: it goes to the spool's dead table, and a gap says so", guilty)
            self._bury(guilty, "the broker ends the connection whenever it is sent")

    def _bury(self, seq: int, why: str) -> None:
        self._counts["buried"] += 1
        self._recorder.settle([], [(seq, why)])

    def _send_rows(self) -> None:
        held = self._refusals.topics
        self._again.extend(self._refusals.due(time.monotonic()))
        for topic in held - self._refusals.topics:
            self._recorder.pause(topic, False)
        while not (self._poison.cautious and self._in_flight):
            row = self._again.popleft() if self._again else self._recorder.take()
            if row is None:
                return
            if row.seq in self._poison.left_out:
                continue
            if self._refusals.holds(row.topic):  # taken before its topic was held
                self._refusals.refused(row, "", 0.0)
                continue
            if not self._poison.admits(row.seq, self._in_flight) or not self._sink.offer(row):
                self._again.appendleft(row)
                return
            self._in_flight[row.seq] = row
            self._counts["sent"] += 1

    # -- what is not spooled ---------------------------------------------------------------------------------------------------

    def _send_retained(self) -> None:
        while self._to_retain:
            with self._lock:
                topic, message = next(iter(self._to_retain.items()))
                if not self._sink.tell(message):
                    return
                del self._to_retain[topic]

    def _send_answers(self) -> None:
        while (outgoing := self.desk.outgoing()) is not None:
            message, request = outgoing
            if message is not None and not self._sink.tell(message):
                return
            self._sink.acknowledge(request)  # behind its answer: whoever has this has that
            self.desk.sent()

    def _send_now(self) -> None:
        while self._now:
            with self._lock:
                message = self._now.popleft()
                if self._sink.tell(message):
                    self._counts["now_sent"] += 1
                elif message.qos and self._sink.state.name == "connected":
                    self._now.appendleft(message)
                    return
                else:
                    self._counts["now_dropped"] += 1
