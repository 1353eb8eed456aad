"""`reviews bench`: how fast, against what, in the same run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from schemas.taxonomy import MARKETPLACE
from stream.cli.console import err, note, out
from stream.cli.local import local_errors, local_stack
from stream.cli.options import Servers, settings_from
from stream.errors import ReviewsError

if TYPE_CHECKING:
    from stream.bench.report import BenchmarkReport
    from stream.settings import Settings

app = typer.Typer(
    help="Benchmarks: ratios in one run, interleaved, with their spread.", no_args_is_help=True
)
EXAMPLES: Final = MARKETPLACE / "examples.jsonl"

Input = Annotated[Path, typer.Option("--input", help="Reviews to measure with (CSV, JSONL, text).")]
Rounds = Annotated[int, typer.Option(min=1, help="Interleaved rounds.")]
Output = Annotated[Path, typer.Option("--output", help="Folder of the JSON results.")]
_OUTPUT: Final = Path("build/bench")


@app.command()
def model(
    input_file: Input = EXAMPLES,
    rounds: Rounds = 5,
    threads: Annotated[int, typer.Option(min=0, help="Inference threads; 0: all cores.")] = 0,
    output: Output = _OUTPUT,
) -> None:
    """The model alone: batching strategies, and its share of the machine's peak."""
    from stream.bench.model import bench_model

    settings = settings_from(None, None)
    with err.status("measuring the model"):
        report = bench_model(settings.model.folder, read_texts(input_file), rounds, threads)
    _show(report, output, "model")


@app.command()
def gpu(input_file: Input = EXAMPLES, rounds: Rounds = 3, output: Output = _OUTPUT) -> None:
    """Encoders of three sizes on a GPU, beside the CPU, and their share of the GPU's peak."""
    from stream.bench.gpu import bench_gpu

    settings = settings_from(None, None)
    with err.status("measuring the GPU: some minutes"):
        reports = bench_gpu(settings.model.folder, read_texts(input_file), rounds)
    for report in reports:
        _show(report, output, report.title.lower().replace(", ", "-").replace(" ", ""))


@app.command()
def pipeline(
    input_file: Input = EXAMPLES,
    rounds: Rounds = 3,
    servers: Servers = None,
    output: Output = _OUTPUT,
) -> None:
    """Kafka to Kafka, beside the model alone, without a model, and all from the cache."""
    from stream.bench.pipeline import bench_pipeline

    with broker(servers) as settings, err.status("measuring the pipeline: a minute a round"):
        report = bench_pipeline(settings, read_texts(input_file), rounds)
    _show(report, output, "pipeline")


@app.command()
def latency(
    input_file: Input = EXAMPLES,
    capacity: Annotated[
        float | None,
        typer.Option(min=1, help="Reviews/s that are the whole load; measured unless given."),
    ] = None,
    rounds: Rounds = 3,
    servers: Servers = None,
    output: Output = _OUTPUT,
) -> None:
    """Latency at 10, 50 and 80% of a capacity, under open-loop load."""
    from stream.bench.latency import bench_latency

    with broker(servers) as settings, err.status("measuring latency: a minute a round"):
        report = bench_latency(settings, read_texts(input_file), capacity, rounds)
    _show(report, output, "latency")


@app.command()
def quiet(
    input_file: Input = EXAMPLES,
    rounds: Rounds = 3,
    seconds: Annotated[
        float, typer.Option(min=1, help="Of waiting, and of the trickle, a round.")
    ] = 60,
    servers: Servers = None,
    output: Output = _OUTPUT,
) -> None:
    """A worker with little to do: cold start, processor time while idle, one review a second."""
    from stream.bench.quiet import bench_quiet

    with broker(servers) as settings, err.status("measuring a quiet worker: minutes a round"):
        report = bench_quiet(settings, read_texts(input_file), rounds, seconds)
    _show(report, output, "quiet")


@app.command()
def scaling(
    input_file: Input = EXAMPLES,
    rounds: Rounds = 3,
    servers: Servers = None,
    output: Output = _OUTPUT,
) -> None:
    """1, 2 and 4 workers, each with an emulated accelerator."""
    from stream.bench.scaling import bench_scaling

    with broker(servers) as settings, err.status("measuring scaling: a minute a round"):
        report = bench_scaling(settings, read_texts(input_file), rounds)
    _show(report, output, "scaling")


@app.command()
def partitions(
    input_file: Input = EXAMPLES,
    rounds: Rounds = 3,
    servers: Servers = None,
    output: Output = _OUTPUT,
) -> None:
    """4, 16 and 64 partitions, one worker, a model that costs nothing."""
    from stream.bench.scaling import bench_partitions

    with broker(servers) as settings, err.status("measuring partitions: a minute a round"):
        report = bench_partitions(settings, read_texts(input_file), rounds)
    _show(report, output, "partitions")


@app.command()
def backlog(
    input_file: Input = EXAMPLES,
    reviews: Annotated[int, typer.Option(min=1000, help="Length of the backlog.")] = 1_000_000,
    servers: Servers = None,
    output: Output = _OUTPUT,
) -> None:
    """A long backlog, one worker, a model that costs nothing."""
    from stream.bench.scaling import bench_backlog

    with broker(servers) as settings, err.status("working off a backlog: some minutes"):
        report = bench_backlog(settings, read_texts(input_file), reviews)
    _show(report, output, "backlog")


@contextmanager
def broker(servers: str | None) -> Iterator[Settings]:
    """Yield settings for the named broker, else for an embedded one that ends with us."""
    if servers is not None:
        yield settings_from(servers, None)
        return
    import tempfile

    folder = tempfile.TemporaryDirectory(prefix="reviews-bench-")
    with folder as name, local_errors(), local_stack(Path(name)) as stack:
        yield settings_from(stack.bootstrap_servers, None, cache={"url": stack.redis_url})


def read_texts(path: Path) -> list[str]:
    """Return the texts of a file of reviews, without empty ones."""
    from stream.files import ReviewRow, open_reviews

    with open_reviews(path) as rows:
        return [row.text for row in rows if isinstance(row, ReviewRow)]


def _show(report: BenchmarkReport, output: Path, name: str) -> None:
    out.print(report.table())
    for fact, value in report.facts.items():
        shown = f"{value:,.4g}" if isinstance(value, float) else str(value)
        note(f"[dim]{fact}: {shown}[/dim]")
    path = report.write(output, name)
    note(f"written to {path}")
    from stream.bench.plot import draw

    picture = path.with_suffix(".png")
    try:
        draw(report, picture)
    except ReviewsError as error:
        note(f"[dim]no picture: {error.message}; {error.remedy}[/dim]")
    else:
        note(f"picture: {picture}")
