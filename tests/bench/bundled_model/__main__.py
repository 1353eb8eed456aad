"""``python -m tests.bench.bundled_model``: the bundled model, made from raw reviews by one command.

It needs a folder of reviews that no user has; ``deploy/docs/measurements/bundled-model.md`` says which
files. Everything on the way is kept: after Ctrl-C the same command goes on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from stream.cli.console import note
from tests.bench.bundled_model.recipe import StarterPlan, plan_of, train_starter
from training.cli.progress import stage_bars
from training.data.unstated import Unstated
from training.fit.config import TrainConfig
from training.train import check_teachers


def main() -> None:
    """Read the command line and make the model."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of raw reviews")
    parser.add_argument("--output", type=Path, default=Path("build/starter"), help="model folder")
    parser.add_argument("--work", type=Path, default=Path("build/training/starter"))
    parser.add_argument("--config", type=Path, help="JSON file with training options")
    parser.add_argument("--half", action="store_true", help="also a graph for a GPU")
    options = parser.parse_args()
    given = json.loads(options.config.read_text("utf-8")) if options.config else {}
    plan = plan_of(
        TrainConfig.model_validate(StarterPlan().training.model_dump() | given),
        half_graph=options.half,
    )
    check_teachers(plan.training)
    with stage_bars() as progress:
        manifest = train_starter(
            options.data, options.output, options.work, plan, progress, Unstated(tell=note)
        )
    for name, value in manifest.metrics.items():
        note(f"{name.replace('_', ' '):28} {value:g}")


if __name__ == "__main__":
    main()
