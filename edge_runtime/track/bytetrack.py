"""Boxes of one frame after another -> objects with an identity.

Two-stage association after ByteTrack (Zhang et al., ECCV 2022, arXiv:2110.06864): good boxes first, then the tracks that got none look among the
faint ones. Everything is said in seconds and sizes instead of frames and pixels, and who is who is decided by likelihood instead of overlap:
at 5 frames/s the boxes of one car need not overlap at all.

    boxes ──► good ─┐                         ┌─► paired ──────► corrected ──► believed? ──► Tracks
                    ├─► pairs, good first ────┤
    tracks ─► predicted to the frame's time   ├─► track alone ─► coasts, fades, is forgotten
                                              └─► good box alone ─► a new track, with the velocity that others had here

A pair costs −2 ln of its likelihood (`pairing.price`): how far the box is from the prediction, a price for predictions that were vague enough
to fit anything, one for having been lost, and one for reading another label than before. Leaving both alone has a price too
(`TrackerOptions.apart`), and the pairs of a frame are those with the least sum. So a track that has been lost for a second can only take a box
right where it must be, and a car that has left the picture does not live on in another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.track.assign import Matcher
from edge_runtime.track.bank import Bank, rows_where
from edge_runtime.track.flow import FlowMemory
from edge_runtime.track.kalman import PP, VV, correct_motion, correct_size, from_xyxy, predict_motion
from edge_runtime.track.options import TrackerOptions
from edge_runtime.track.pairing import absence, areas, common, doubt, errors, overlap, price, shares, surprise
from edge_runtime.types import Detections, Sighting, Stamp, Tick, Tracks

__all__ = ["ByteTracker", "TrackerOptions"]

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

_REST = 0.25  # sizes: what stays within is at rest. The error of a centre is a fifth of it
_TELL = 0.5  # sizes between two samples for the flow memory: two samples a body length say all there is
_PATIENCE = 1.5  # frames: nobody is forgotten before a next frame could have shown it, however slow the camera
_PAST = 16  # sightings that are kept of a track that is not believed yet


class ByteTracker:
    """A stage. `step` gives exactly one `Tracks` for each frame; ids grow for ever."""

    def __init__(self, options: TrackerOptions, first_id: int = 1) -> None:
        self._options = options
        self._next_id = first_id
        self._grain_px = 0.0  # of the frame that is being taken in
        self._matcher = Matcher()
        self._flow = FlowMemory(options.flow_samples, options.speed)
        self._bank = Bank.empty()
        self._past: dict[int, list[Sighting]] = {}  # of tracks that are not believed, by the ticket that stands negated in `Bank.id`
        self._tickets = 0
        self._stamp: Stamp | None = None
        self._before_ns = 0  # the frame before
        self._pace_ns = 0.0  # the usual time between frames
        self._gone: list[int] = []  # ids forgotten by `reset`, owed to the next report

    @property
    def next_id(self) -> int:
        """The id that the next object will get: whoever keeps state across processes starts the next tracker here."""
        return self._next_id

    def step(self, detections: Detections) -> Sequence[Tracks]:
        """One frame's boxes -> who is there. Boxes that are empty, inverted, not finite or below the floor are ignored."""
        options, stamp = self._options, detections.stamp
        ended = self._forget(stamp.mono_ns)
        self._pass_time(stamp)
        self._grain_px = detections.grain_px
        self._bank.frames += 1
        xyxy, score, label = _usable(detections, options.track_floor)
        place, size = from_xyxy(xyxy)
        self._bank.widen(int(label.max(initial=0)) + 1)
        rows, boxes, noise = self._pair(place, size, score, label)
        self._correct(rows, place[boxes], size[boxes], noise)
        self._vote(rows, score[boxes], label[boxes])
        self._settle(rows)
        fresh = score >= options.min_score
        fresh[boxes] = False
        free = rows_where(fresh)
        free = free[np.argsort(-score[free], kind="stable")]
        free = free[~self._repeats(xyxy[free].astype(np.float64), rows)]
        self._begin(place[free], size[free], score[free], label[free])
        return (self._report(stamp, ended),)

    def step_still(self, stamp: Stamp) -> Tracks:
        """A frame in which nothing moved: whoever was seen in the frame before, or was parked, stays and has stopped; others fade as ever."""
        bank, before = self._bank, self._stamp
        if before is not None:
            there = bank.seen_ns == before.mono_ns
            stay = there | self._parked()
            elapsed_ns = max(0, stamp.mono_ns - before.mono_ns)
            bank.seen_ns[stay] += elapsed_ns  # stillness is no absence,
            bank.born_ns[there & (bank.id < 0)] += elapsed_ns  # and no evidence
            bank.velocity[stay] = 0.0
            held = bank.cov[stay], bank.size_var[stay]
            self._pass_time(stamp)
            bank.cov[stay], bank.size_var[stay] = held
        else:
            self._pass_time(stamp)
        return self._report(stamp, self._forget(stamp.mono_ns))

    def advance(self, now: Tick) -> Sequence[Tracks]:
        """Time passed without a frame: says who was forgotten meanwhile."""
        ended = self._forget(now.mono_ns)
        return (self._farewell(ended),) if len(ended) else ()

    def finish(self) -> Sequence[Tracks]:
        """The end: every track has ended."""
        self.reset()
        ended = self._forget(0)
        return (self._farewell(ended),) if len(ended) else ()

    def reset(self) -> None:
        """Forget the scene. Ids go on; those that were alive are reported as ended with the next frame."""
        self._gone += self._bank.id[self._bank.id > 0].tolist()
        self._bank = Bank.empty()
        self._past.clear()
        self._flow.clear()

    # -- time ------------------------------------------------------------------------------------------------------------

    def _farewell(self, ended: Rows) -> Tracks:
        stamp = self._stamp or Stamp("", 0, 0, 0)
        return Tracks(Detections.empty(stamp), np.zeros(0, np.int64), ended)

    def _pass_time(self, stamp: Stamp) -> None:
        """Everyone moves on to `stamp`, but for parked objects out of sight: those wait where they stood."""
        self._before_ns = stamp.mono_ns if self._stamp is None else self._stamp.mono_ns
        self._stamp = stamp
        elapsed_ns = max(0, stamp.mono_ns - self._before_ns)
        if not elapsed_ns:
            return
        self._pace_ns += 0.25 * (min(elapsed_ns, 2 * self._pace_ns) - self._pace_ns) if self._pace_ns else elapsed_ns
        bank, options, dt = self._bank, self._options, elapsed_ns / 1e9
        go = ~(self._parked() & (bank.seen_ns < self._before_ns))
        q = np.repeat((options.acceleration * bank.scale[:, None]) ** 2, 2, axis=1)
        position, cov = predict_motion(bank.position, bank.velocity, bank.cov, dt, q)
        bank.position[go], bank.cov[go] = position[go], cov[go]
        bank.size_var[go] += options.growth**2 * dt

    def _parked(self) -> NDArray[np.bool_]:
        bank = self._bank
        parked: NDArray[np.bool_] = (bank.id > 0) & (bank.seen_ns - bank.rest_ns > self._options.parked_s * 1e9)
        return parked

    def _forget(self, now_ns: int) -> Rows:
        """Drop who has not been seen for too long; the ids of those that had been reported."""
        bank, options = self._bank, self._options
        memory_s = np.where(bank.id < 0, options.tentative_s, np.where(self._parked(), options.parked_memory_s, options.memory_s))
        dead = now_ns - bank.seen_ns > np.maximum(memory_s * 1e9, _PATIENCE * self._pace_ns)
        gone, self._gone = self._gone, []
        if dead.any():
            gone += bank.id[dead & (bank.id > 0)].tolist()
            for ticket in bank.id[dead & (bank.id < 0)].tolist():
                del self._past[ticket]
            bank.keep(~dead)
        return np.array(gone, np.int64)

    # -- who is who ------------------------------------------------------------------------------------------------------

    def _pair(self, place: Array, size: Array, score: Array, label: NDArray[np.int16]) -> tuple[Rows, Rows, Array]:
        """Rows of tracks, the boxes that are theirs, and how much noisier than usual each of these is."""
        bank, options = self._bank, self._options
        distance, vague = surprise(bank, errors(np.exp(bank.size), self._grain_px, options), place, size)
        missed_s = np.maximum(self._before_ns - bank.seen_ns, 0) / 1e9  # seen in the frame before: nothing was missed
        cost = price(distance, vague, absence(missed_s, self._parked(), options), shares(bank, label), options)
        good, faint = rows_where(score >= options.min_score), rows_where(score < options.min_score)
        rows, picked = self._matcher.match(cost[:, good], options.apart)
        single = np.ones(len(bank), np.bool_)
        single[rows] = False
        alone = rows_where(single)
        late, picked_faint = self._matcher.match(cost[np.ix_(alone, faint)], options.apart_faint)
        rows, boxes = np.concatenate([rows, alone[late]]), np.concatenate([good[picked], faint[picked_faint]])
        return rows, boxes, doubt(distance[rows, boxes], options)[:, None]

    def _repeats(self, xyxy: Array, rows: Rows) -> NDArray[np.bool_]:
        """Which boxes [N, 4], best first, are another reading of a better one, or of an object that has its box in this frame."""
        limit = self._options.duplicate
        better = np.tril(overlap(xyxy, xyxy), -1) > limit
        tracked = overlap(xyxy, self._bank.xyxy[rows]) > limit
        repeats: NDArray[np.bool_] = np.asarray(np.concatenate([better, tracked], axis=1).any(axis=1))
        return repeats

    def _parts(self, now_ns: int, ready: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which tracks not believed yet are a believed (or `ready`) one again, or lie within a larger one that has been read as their label."""
        bank, options = self._bank, self._options
        parts = np.zeros(len(bank), np.bool_)
        seen = bank.seen_ns == now_ns
        inner, outer = rows_where((bank.id < 0) & seen), rows_where(((bank.id > 0) | ready) & seen)
        if len(inner) and len(outer):
            small, large, votes = bank.xyxy[inner], bank.xyxy[outer], bank.votes[outer]
            within = common(small, large) > options.part * areas(small)[:, None]
            larger = areas(large) > areas(small)[:, None]
            alike = votes[:, bank.votes[inner].argmax(axis=1)] > options.alike * votes.sum(axis=1, keepdims=True)
            same = (overlap(small, large) > options.duplicate) & (bank.id[outer] > 0)
            found: NDArray[np.bool_] = np.asarray((same | (within & larger & alike.T)).any(axis=1))
            parts[inner] = found
        return parts

    # -- what a frame changes --------------------------------------------------------------------------------------------

    def _correct(self, rows: Rows, place: Array, size: Array, noise: Array) -> None:
        bank, sides = self._bank, np.exp(self._bank.size[rows])
        error_px = errors(sides, self._grain_px, self._options)
        place_noise, size_noise = error_px**2 * noise, (2 * error_px / sides) ** 2 * noise
        motion = correct_motion(bank.position[rows], bank.velocity[rows], bank.cov[rows], place, place_noise)
        bank.position[rows], bank.velocity[rows], bank.cov[rows] = motion
        bank.size[rows], bank.size_var[rows] = correct_size(bank.size[rows], bank.size_var[rows], size, size_noise)

    def _vote(self, rows: Rows, score: Array, label: NDArray[np.int16]) -> None:
        bank = self._bank
        bank.score[rows] = score
        bank.evidence[rows] += score
        bank.votes[rows, label] += score
        bank.hits[rows] += 1

    def _settle(self, rows: Rows) -> None:
        """Who was seen, who left its place of rest, and what the flow memory learns of it."""
        bank, now_ns = self._bank, self._stamp.mono_ns if self._stamp else 0
        bank.seen_ns[rows] = now_ns
        position, scale = bank.position[rows], bank.scale[rows]
        left = rows[np.abs(position - bank.rest[rows]).max(axis=1) > _REST * scale]
        bank.rest[left], bank.rest_ns[left] = bank.position[left], now_ns
        tell = rows[(bank.id[rows] > 0) & (np.abs(position - bank.told[rows]).max(axis=1) > _TELL * scale)]
        self._flow.add(bank.position[tell], bank.scale[tell], bank.velocity[tell])
        bank.told[tell] = bank.position[tell]

    def _begin(self, place: Array, size: Array, score: Array, label: NDArray[np.int16]) -> None:
        """New tracks, best first; only as many as there is room for."""
        bank, options = self._bank, self._options
        best = np.arange(min(len(score), max(0, options.max_tracks - len(bank))))
        if self._stamp is None or not len(best):
            return
        new = Bank.new(place[best], size[best], score[best], self._stamp.mono_ns, bank.votes.shape[1])
        new.id[:] = -1 - self._tickets - np.arange(len(best))
        self._tickets += len(best)
        self._past.update((ticket, []) for ticket in new.id.tolist())
        new.velocity, new.cov[..., VV] = self._flow.prior(new.position, new.scale)
        sides = np.exp(new.size)
        error_px = errors(sides, self._grain_px, options)
        new.cov[..., PP], new.size_var[:] = error_px**2, (2 * error_px / sides) ** 2
        new.votes[np.arange(len(best)), label[best]] = score[best]
        bank.append(new)

    def _report(self, stamp: Stamp, ended: Rows) -> Tracks:
        bank, now_ns = self._bank, stamp.mono_ns
        past = self._believe(stamp)
        seen = rows_where((bank.id > 0) & (bank.seen_ns == now_ns))
        label = bank.votes[seen].argmax(axis=1).astype(np.int16)
        boxes = Detections(stamp, bank.xyxy[seen].astype(np.float32), bank.score[seen].astype(np.float32), label)
        return Tracks(boxes, bank.id[seen], ended, past)

    def _believe(self, stamp: Stamp) -> tuple[Sighting, ...]:
        """Who is believed from now on gets an id; the answer is where it was before.

        A part of something believed begins anew with every frame: only what is seen outside of it has a way of its own, and from there on.
        """
        bank, options, now_ns = self._bank, self._options, stamp.mono_ns
        often = (bank.hits >= 2) & (bank.hits >= options.steady * bank.frames)
        sure = often & (bank.evidence >= 2 * options.min_score) & (now_ns - bank.born_ns >= options.confirm_s * 1e9)
        part = self._parts(now_ns, sure)
        sure &= ~part
        bank.hits[part], bank.frames[part], bank.evidence[part], bank.born_ns[part] = 1, 1, bank.score[part], now_ns
        past: list[Sighting] = []
        for row in rows_where((bank.id < 0) & (bank.seen_ns == now_ns)).tolist():
            trail = self._past[int(bank.id[row])]
            if sure[row]:
                del self._past[int(bank.id[row])]
                bank.id[row] = self._next_id
                past += [sighting._replace(id=self._next_id) for sighting in trail]
                self._next_id += 1
                continue
            if part[row]:
                trail.clear()
            trail.append(Sighting(0, Tick(now_ns, stamp.wall_ns), bank.xyxy[row : row + 1].astype(np.float32)[0]))
            del trail[1 : max(1, len(trail) - _PAST)]  # never the first: there the path begins
        return tuple(past)


def _usable(detections: Detections, floor: float) -> tuple[NDArray[np.float32], Array, NDArray[np.int16]]:
    xyxy = detections.xyxy
    fine = np.isfinite(xyxy).all(axis=1) & (xyxy[:, 2:] > xyxy[:, :2]).all(axis=1) & (detections.score >= floor)
    return xyxy[fine], detections.score[fine].astype(np.float64), detections.label[fine]
