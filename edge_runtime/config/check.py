"""What a config needs of the world that can be seen without starting anything: files, bundles, labels, providers.

    load ─► Loaded ─► problems ─► (none) ─► make_plan, bundle_of ─► the daemon, replay, bench
                         └─► ConfigError, all at once

No camera is opened and no broker asked: that is `check --online`.
"""

from __future__ import annotations

import os
from pathlib import Path

from edge_runtime.config.loaded import Loaded, in_order
from edge_runtime.config.plan import Plan, make_plan
from edge_runtime.config.schema import CameraConfig, Config, ModelConfig
from edge_runtime.config.tree import Path as KeyPath
from edge_runtime.config.tree import show, suggest
from edge_runtime.config.values import Wrong, check_private
from edge_runtime.errors import BundleError, CannotStart, ConfigError, Problem
from edge_runtime.infer.bundle import Bundle, find_bundle, load_bundle
from edge_runtime.sources import footage_path, is_live, is_simulated

__all__ = ["Plan", "bundle_of", "make_plan", "problems", "require_sound"]


def require_sound(loaded: Loaded) -> None:
    """Raises ConfigError with everything that `problems` finds."""
    found = problems(loaded)
    if found:
        raise ConfigError(found)


def problems(loaded: Loaded) -> list[Problem]:
    """Everything that this config names and that is missing, broken or of the wrong kind here, in the order of the file."""
    return in_order(_Look(loaded).problems)


def bundle_of(config: Config, model: ModelConfig) -> Bundle:
    """The bundle of a model. Raises BundleError, CannotStart as `infer.bundle` does."""
    return load_bundle(find_bundle(model.bundle, config.file.parent))


class _Look:
    """One look around. What `load` found wrong already is passed over."""

    def __init__(self, loaded: Loaded) -> None:
        self.problems: list[Problem] = []
        self._loaded = loaded
        config = loaded.config
        bundles = {model.name: self._bundle(model, ("model", index)) for index, model in enumerate(config.model)}
        for index, model in enumerate(config.model):
            self._providers(model, ("model", index, "providers"))
        for index, camera in enumerate(config.camera):
            self._footage(camera, ("camera", index))
            bundle = bundles.get(camera.model)
            if bundle is not None:
                self._labels(camera, bundle, ("camera", index))
        self._spool(config.spool.path)
        self._tls()

    def _bundle(self, model: ModelConfig, path: KeyPath) -> Bundle | None:
        here = (*path, "bundle")
        if not self._loaded.is_sound(here):
            return None
        try:
            return bundle_of(self._loaded.config, model)
        except BundleError as error:
            self._note(here, str(error).partition("\n")[0], shown=show(str(model.bundle)))
            self.problems += error.problems
        except CannotStart as error:
            self._note(here, str(error), shown=show(str(model.bundle)))
        return None

    def _providers(self, model: ModelConfig, path: KeyPath) -> None:
        if set(model.providers) == {"cpu"} or not self._loaded.is_sound(path):
            return
        import onnxruntime

        from edge_runtime.infer.session import PROVIDERS

        present = onnxruntime.get_available_providers()
        here = [name for name, theirs in PROVIDERS.items() if theirs in present]
        for index, name in enumerate(model.providers):
            if name not in here:
                todo = "install the onnxruntime package built for that hardware, or remove it from the list"
                self._note((*path, index), f"the ONNX Runtime that is installed here has only {', '.join(here)}: {todo}", shown=show(name))

    def _labels(self, camera: CameraConfig, bundle: Bundle, path: KeyPath) -> None:
        manifest = bundle.manifest
        if manifest.task != "detect":
            self._note((*path, "model"), f"{manifest.identity} is a model to {manifest.task}: a camera needs a detector", shown=show(camera.model))
            return
        for index, label in enumerate(camera.classes or ()):
            if label not in manifest.labels:
                near = suggest(label, manifest.labels) or f"it knows {_some(manifest.labels)}"
                self._note((*path, "classes", index), f"no class of {manifest.identity}: {near}", shown=show(label))

    def _footage(self, camera: CameraConfig, path: KeyPath) -> None:
        for key, source in (("source", camera.source), ("substream", camera.substream)):
            if not source or not self._loaded.is_sound((*path, key)) or is_live(source) or is_simulated(source):
                continue
            file = footage_path(source)
            if file.is_dir():
                self._note((*path, key), "is a folder: expected a video file", shown=show(str(file)))
            elif not file.exists():
                folder = "" if file.parent.is_dir() else f" (nor a folder {file.parent})"
                self._note((*path, key), f"there is no such file{folder}: expected a video file, or a URL such as rtsp://…", shown=show(str(file)))
            elif not os.access(file, os.R_OK):
                self._note((*path, key), "this user may not read it: chmod or chown it for the service's user", shown=show(str(file)))

    def _spool(self, file: Path) -> None:
        if not self._loaded.is_sound(("spool", "path")):
            return
        where: KeyPath = ("spool", "path")
        if file.is_dir():
            self._note(where, "is a folder: expected the name of a file in it", shown=show(str(file)))
        elif not file.parent.is_dir():
            self._note(where, f"there is no folder {file.parent}: mkdir -p {file.parent}, owned by the service's user", shown=show(str(file)))
        elif os.statvfs(file.parent).f_flag & os.ST_RDONLY:
            return  # a disk that is read-only for the moment: the spool begins in memory, and says so
        elif not os.access(file if file.exists() else file.parent, os.W_OK):
            self._note(where, f"this user may not write there: chown {file.parent} to the service's user", shown=show(str(file)))

    def _tls(self) -> None:
        mqtt = self._loaded.config.mqtt
        named = [(key, getattr(mqtt, key)) for key in ("ca", "cert", "key") if getattr(mqtt, key) is not None]
        before = len(self.problems)
        for key, file in named:
            if not file.is_file():
                self._note(("mqtt", key), f"there is no such file: expected a PEM file ({file})", shown=show(file.name))
            elif not os.access(file, os.R_OK):
                self._note(("mqtt", key), "this user may not read it: chown it to the service's user", shown=show(str(file)))
        if mqtt.key is not None and mqtt.key.is_file():
            try:
                check_private(mqtt.key, mqtt.key.name)
            except Wrong as wrong:
                self._note(("mqtt", "key"), str(wrong))
        if named and len(self.problems) == before:
            self._certificates()

    def _certificates(self) -> None:
        """Whether the files hold what they are named for, and fit together."""
        import ssl

        mqtt = self._loaded.config.mqtt
        if mqtt.ca is not None:
            try:
                ssl.create_default_context(cafile=str(mqtt.ca))
            except (ssl.SSLError, OSError, ValueError) as error:
                self._note(("mqtt", "ca"), f"holds no certificate in PEM form: {_reason(error)}", shown=show(mqtt.ca.name))
        if mqtt.cert is not None and mqtt.key is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            try:
                context.load_cert_chain(str(mqtt.cert), str(mqtt.key), password=lambda: "")
            except (ssl.SSLError, OSError, ValueError) as error:
                self._note(
                    ("mqtt", "cert"),
                    f"it and the key do not work together: expected PEM files of one pair, the key without password ({_reason(error)})",
                )

    def _note(self, path: KeyPath, message: str, *, shown: str = "") -> None:
        if self._loaded.is_sound(path):
            self.problems.append(self._loaded.problem(path, message, shown=shown))


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None)
    return str(reason or error)


def _some(names: tuple[str, ...], count: int = 12) -> str:
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")
