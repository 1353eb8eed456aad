"""One ONNX graph on one device: padded word pieces in, logits out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import numpy as np
import onnxruntime as ort
import structlog
from numpy.typing import NDArray

from stream.containers import available_cores
from stream.errors import ModelError
from stream.model.folder import CPU_GRAPH, GPU_GRAPH

Device = Literal["auto", "cpu", "cuda"]
CUDA: Final = "CUDAExecutionProvider"
# On a GPU every new shape costs a round of kernel selection: few shapes, each met early.
GPU_LENGTH_STEP: Final = 16

_NO_GPU_GRAPH: Final = f"the model's folder has no {GPU_GRAPH}; `reviews train --half` writes one"

_log = structlog.get_logger(__name__)


class Graph(Protocol):
    """Runs a model on one padded chunk. The seam at which tests and benchmarks put a free model."""

    device: str
    parallel_calls: int
    """How many threads may call it at a time, and should for full speed."""

    def run(
        self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return logits float32 [rows, categories] for int64 [rows, length] ids and mask."""
        ...


class OnnxGraph:
    """A graph in ONNX Runtime on the CPU: each call on one core, calls side by side.

    Measured with the 3-layer model on two cores: 16% more reviews/s, and 10% less CPU time, than
    one call after another with every product split over the cores.

    Args:
        path: of the graph.
        threads: calls side by side; 0 for as many as a container lets us use.
    """

    device = "cpu"

    def __init__(self, path: Path, threads: int) -> None:
        self.parallel_calls = threads or available_cores()
        self._session = _open(path, session_options(1), ["CPUExecutionProvider"])

    def run(
        self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """See :class:`Graph`."""
        feed = {"input_ids": input_ids, "attention_mask": attention_mask}
        logits: NDArray[np.float32] = self._session.run(["logits"], feed)[0]
        return logits


class CudaGraph:
    """A graph in ONNX Runtime on a GPU: half precision, inputs and outputs bound in its memory.

    Args:
        path: of the graph.
        threads: for what runs on the CPU all the same; 0 for all cores.
        longest: most word pieces that the model reads: it has no place for another one.
    """

    device = "cuda"
    parallel_calls = 1

    def __init__(self, path: Path, threads: int, longest: int) -> None:
        self._longest = longest
        self._session = gpu_session(path, threads)

    def run(
        self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """See :class:`Graph`. Lengths are padded to a few bucketed shapes."""
        ids, mask = (bucketed(values, self._longest) for values in (input_ids, attention_mask))
        binding = self._session.io_binding()
        binding.bind_cpu_input("input_ids", ids)
        binding.bind_cpu_input("attention_mask", mask)
        binding.bind_output("logits", "cpu")
        self._session.run_with_iobinding(binding)
        logits = binding.copy_outputs_to_cpu()[0]
        return np.asarray(logits, dtype=np.float32)


def bucketed(
    values: NDArray[np.int64], longest: int, step: int = GPU_LENGTH_STEP
) -> NDArray[np.int64]:
    """Pad int64 [rows, length] with zeros to the next multiple of ``step`` columns, or to ``longest``."""
    length = values.shape[1]
    missing = max(min(-length % step, longest - length), 0)
    return np.pad(values, ((0, 0), (0, missing))) if missing else values


def gpu_available() -> bool:
    """Tell whether this build of ONNX Runtime can use a GPU."""
    return CUDA in ort.get_available_providers()


def gpu_session(path: Path, threads: int = 0) -> ort.InferenceSession:
    """Open a graph on the GPU.

    Args:
        path: of the graph.
        threads: for what runs on the CPU all the same; 0 for all cores.

    Raises:
        ModelError: the graph cannot be opened, or no GPU can be used.
    """
    _load_cuda()
    session = _open(path, session_options(threads), [CUDA, "CPUExecutionProvider"])
    if CUDA not in session.get_providers():
        raise ModelError(
            "ONNX Runtime found no usable GPU",
            "check the driver, and that onnxruntime-gpu was installed after onnxruntime "
            "(deploy/docs/deployment.md, GPU), or set REVIEWS_MODEL__DEVICE=cpu",
        )
    return session


def open_graph(folder: Path, device: Device, threads: int, longest: int) -> Graph:
    """Open a folder's graph on the wanted device.

    ``auto`` takes the GPU where ONNX Runtime and the folder have a graph for one, and falls back to
    the CPU with one clear line. ``cuda`` runs the graph for a CPU too, and warns: of its eight-bit
    nodes most have no counterpart on a GPU.

    Args:
        folder: of the model.
        device: where it is to run.
        threads: see :class:`OnnxGraph` and :class:`CudaGraph`.
        longest: most word pieces that the model reads.

    Raises:
        ModelError: the graph cannot be opened, or ``cuda`` was demanded and is not to be had.
    """
    if device == "cpu" or (device == "auto" and not gpu_available()):
        return OnnxGraph(folder / CPU_GRAPH, threads)
    path, reason = folder / GPU_GRAPH, _NO_GPU_GRAPH
    if device == "cuda":
        if not path.is_file():
            _log.warning("slow_on_gpu", reason=reason)
            path = folder / CPU_GRAPH
        return CudaGraph(path, threads, longest)
    if path.is_file():
        try:
            return CudaGraph(path, threads, longest)
        except ModelError as error:
            reason = error.message
    _log.warning("gpu_not_usable", reason=reason, going_on_with="cpu")
    return OnnxGraph(folder / CPU_GRAPH, threads)


def session_options(threads: int) -> ort.SessionOptions:
    """Return the options that every session of ours runs with; 0 threads: as many as we may use."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or available_cores()
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    # Spinning threads would take the cores that the broker's client and the event loop need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _load_cuda() -> None:
    """Load CUDA's libraries from where the extra ``gpu`` installs them: no search path leads there."""
    # It prints what it misses; whether the GPU can be used is seen, and said, once a graph is open.
    with redirect_stdout(StringIO()):
        ort.preload_dlls()


def _open(
    path: Path, options: ort.SessionOptions, providers: Sequence[Any]
) -> ort.InferenceSession:
    try:
        return ort.InferenceSession(str(path), options, providers=list(providers))
    except Exception as error:  # noqa: BLE001 - ONNX Runtime raises half a dozen unrelated types
        raise ModelError(
            f"{path} cannot be loaded: {error}", "restore the folder from the registry"
        ) from None
