"""Opening one ONNX Runtime session: checked bytes, the providers that were asked for and no others, threads that never spin.

    model.onnx ─► bytes ─► checksum ─► safety ─► session ─► does it fit its manifest and its family? ─► handed out

With one thread inside, a session has no pool of its own and `run` computes in the thread that calls it; several threads may call one session.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_runtime.decode import family_of
from edge_runtime.decode.ports import Port, as_batch_of_one
from edge_runtime.errors import BundleError, CannotStart
from edge_runtime.infer.modelfile import read_model
from edge_runtime.infer.safety import parse_model, printed, require_safe
from edge_runtime.manifest import ImageInput, Manifest

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "xnnpack": "XnnpackExecutionProvider",
}
"""Names in device.toml -> ONNX Runtime's."""

_ERRORS_ONLY = 3
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(uint8)": "uint8",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
}


def open_session(path: Path, manifest: Manifest, providers: Sequence[str], threads: int) -> Any:
    """An onnxruntime.InferenceSession for the model at `path`.

    Raises BundleError (the file is unsafe, changed, or does not fit its manifest), CannotStart (a provider is absent or took nothing).
    """
    return start_session(checked_model(path, manifest), manifest, providers, threads)


def checked_model(path: Path, manifest: Manifest) -> bytes:
    """The model's bytes, once they are known to be the manifest's and to contain nothing that they may not. Raises BundleError."""
    data = read_model(path)
    digest = hashlib.sha256(data).hexdigest()
    if digest != manifest.sha256:
        raise BundleError(
            f"{path}: sha256 {manifest.sha256[:12]}… expected, {digest[:12]}… found: it changed; restore the file, or adopt the new one"
        )
    require_safe(parse_model(data, str(path)), str(path))
    return data


def start_session(data: bytes, manifest: Manifest, providers: Sequence[str], threads: int) -> Any:
    """A session from bytes that `checked_model` gave. Raises BundleError, CannotStart as `open_session`."""
    session = bare_session(data, manifest.identity, providers, threads)
    problems = misfits(session, manifest)
    if problems:
        raise BundleError(f"{manifest.identity}: model.onnx is not what manifest.toml says: " + "; ".join(problems))
    return session


def bare_session(data: bytes, shown: str, providers: Sequence[str], threads: int) -> Any:
    """A session from bytes that were found safe, whatever its inputs and outputs. Raises BundleError, CannotStart as `open_session`."""
    import onnxruntime

    names = _available(providers, onnxruntime.get_available_providers())
    options = _options(onnxruntime, threads, alone="cpu" not in providers)
    try:
        session = onnxruntime.InferenceSession(data, options, providers=names)
    except Exception as error:  # ONNX Runtime's errors have no root of their own
        raise _refusal(shown, providers, error) from error
    require_providers(names, session.get_providers())
    return session


def input_shape(model: ImageInput) -> tuple[int, int, int, int]:
    """The tensor of one picture."""
    width, height = model.size
    return (1, 3, height, width) if model.layout == "NCHW" else (1, height, width, 3)


def require_providers(wanted: Sequence[str], got: Sequence[str]) -> None:
    """Raises CannotStart when ONNX Runtime took others than `wanted`, in another order: it falls back without a word. It may add the CPU's."""
    extra = [name for name in got if name not in wanted and name != PROVIDERS["cpu"]]
    if extra or [name for name in got if name in wanted] != list(wanted):
        raise CannotStart(
            f"ONNX Runtime runs this model on {', '.join(got) or 'nothing'} instead of {', '.join(wanted)}: the driver or a library of that "
            "provider is missing; install it, or name another provider in device.toml"
        )


def misfits(session: Any, manifest: Manifest) -> list[str]:
    """Where the session's inputs and outputs differ from the manifest and from its family."""
    model = manifest.inputs[0]
    problems = []
    if session.get_overridable_initializers():
        problems.append("it has initializers that are inputs too: adopt it again")
    found = [_port(each) for each in session.get_inputs()]
    if found != [Port(model.name, model.dtype, input_shape(model))]:
        said = f"one input {model.name!r} {model.dtype} {printed(input_shape(model))}"
        problems.append(f"expected {said}, found " + ", ".join(f"{each.name!r} {each.dtype} {printed(each.shape)}" for each in found))
    try:
        classes = family_of(manifest.family).classes_in(model.size, [_port(each) for each in session.get_outputs()])
    except ValueError as error:
        problems.append(f'it is no model of family "{manifest.family}": {error}')
    else:
        if classes not in (None, len(manifest.labels)):
            problems.append(f"it tells {classes} classes apart, labels.txt names {len(manifest.labels)}")
    return problems


def _available(providers: Sequence[str], present: Sequence[str]) -> list[str]:
    unknown = [name for name in providers if name not in PROVIDERS]
    if unknown or not providers:
        raise CannotStart(f"providers = {list(providers)}: expected some of {', '.join(PROVIDERS)}")
    absent = [name for name in providers if PROVIDERS[name] not in present]
    if absent:
        here = [name for name, theirs in PROVIDERS.items() if theirs in present]
        raise CannotStart(
            f"provider {', '.join(absent)}: not in the ONNX Runtime that is installed here (it has {', '.join(here)}); "
            "install the onnxruntime package built for that hardware, or name another provider in device.toml"
        )
    return [PROVIDERS[name] for name in providers]


def _options(onnxruntime: Any, threads: int, *, alone: bool) -> Any:
    """`alone`: the CPU was not asked for, so no operator may quietly run there."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if alone:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    return options


def _refusal(shown: str, providers: Sequence[str], error: Exception) -> BundleError | CannotStart:
    """Whose fault it is: with the CPU alone only the file can be wrong."""
    if tuple(providers) == ("cpu",):
        return BundleError(f"{shown}: ONNX Runtime refuses the model: {error}")
    return CannotStart(
        f"{shown}: cannot run on {', '.join(providers)} here: {error}; "
        'add "cpu" to providers to let the processor do what they cannot, or name another provider'
    )


def _port(value: Any) -> Port:
    """An input or output as ONNX Runtime knows it."""
    sides = tuple(side if side is not None else "?" for side in value.shape)
    return as_batch_of_one(Port(value.name, _DTYPES.get(value.type, value.type), sides))
