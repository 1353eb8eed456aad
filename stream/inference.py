"""One ONNX graph on one device: padded word pieces in, logits out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import numpy as np
import onnxruntime as ort
import structlog
from numpy.typing import NDArray

from stream.errors import ModelError
from stream.model_folder import CPU_GRAPH, GPU_GRAPH

Device = Literal["auto", "cpu", "cuda"]
CUDA: Final = "CUDAExecutionProvider"
# On a GPU every new shape costs a round of kernel selection: few shapes, each met early.
GPU_LENGTH_STEP: Final = 16

_log = structlog.get_logger(__name__)


class Graph(Protocol):
    """Runs a model on one padded chunk. The seam at which tests and benchmarks put a free model."""

    device: str
    parallel_calls: int
    """How many threads may call it at a time, and should for full speed."""

    def run(
        self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return logits float32 [rows, 9] for int64 [rows, length] ids and mask."""
        ...


class OnnxGraph:
    """A graph in ONNX Runtime on the CPU: each call on one core, calls side by side.

    Measured with the 3-layer model on two cores: 16% more reviews/s, and 10% less CPU time, than
    one call after another with every product split over the cores.

    Args:
        path: of the graph.
        threads: calls side by side; 0 for as many as there are cores.
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
    """A graph in ONNX Runtime on a GPU: half precision, inputs and outputs bound in its memory."""

    device = "cuda"
    parallel_calls = 1

    def __init__(self, path: Path, threads: int) -> None:
        self._session = _open(path, session_options(threads), [CUDA, "CPUExecutionProvider"])
        if CUDA not in self._session.get_providers():
            raise ModelError(
                "ONNX Runtime found no usable GPU",
                "check the driver and `pip install 'reviews-stream[gpu]'`, or set "
                "REVIEWS_MODEL__DEVICE=cpu",
            )

    def run(
        self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """See :class:`Graph`. Lengths are padded to a few bucketed shapes."""
        ids, mask = bucketed(input_ids), bucketed(attention_mask)
        binding = self._session.io_binding()
        binding.bind_cpu_input("input_ids", ids)
        binding.bind_cpu_input("attention_mask", mask)
        binding.bind_output("logits", "cpu")
        self._session.run_with_iobinding(binding)
        logits = binding.copy_outputs_to_cpu()[0]
        return np.asarray(logits, dtype=np.float32)


def bucketed(values: NDArray[np.int64], step: int = GPU_LENGTH_STEP) -> NDArray[np.int64]:
    """Pad int64 [rows, length] with zeros to the next multiple of ``step`` columns."""
    missing = -values.shape[1] % step
    return np.pad(values, ((0, 0), (0, missing))) if missing else values


def available_cores() -> int:
    """Return how many cores this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no affinity
        return os.cpu_count() or 1


def gpu_available() -> bool:
    """Tell whether this build of ONNX Runtime can use a GPU."""
    return CUDA in ort.get_available_providers()


def open_graph(folder: Path, device: Device, threads: int) -> Graph:
    """Open a folder's graph on the wanted device.

    ``auto`` takes the GPU where ONNX Runtime and the folder have one, and falls back to the CPU
    with one clear line.

    Raises:
        ModelError: the graph cannot be opened, or ``cuda`` was demanded and is not to be had.
    """
    path = folder / GPU_GRAPH
    if device == "cuda" or (device == "auto" and gpu_available()):
        if not path.is_file():
            path = folder / CPU_GRAPH
        try:
            return CudaGraph(path, threads)
        except ModelError as error:
            if device == "cuda":
                raise
            _log.warning("gpu_not_usable", reason=error.message, going_on_with="cpu")
    return OnnxGraph(folder / CPU_GRAPH, threads)


def session_options(threads: int) -> ort.SessionOptions:
    """Return the options that every session of ours runs with; 0 threads means all cores."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    # Spinning threads would take the cores that the broker's client and the event loop need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _open(
    path: Path, options: ort.SessionOptions, providers: Sequence[Any]
) -> ort.InferenceSession:
    try:
        return ort.InferenceSession(str(path), options, providers=list(providers))
    except Exception as error:  # noqa: BLE001 - ONNX Runtime raises half a dozen unrelated types
        raise ModelError(
            f"{path} cannot be loaded: {error}", "restore the folder from the registry"
        ) from None
