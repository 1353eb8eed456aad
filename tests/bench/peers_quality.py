"""The same streams through NannyML's CBPE and Evidently's drift; run by their own environments.

    python tests/bench/peers_quality.py nannyml|evidently FOLDER

FOLDER is the output of ``changing_streams``; nothing of the project is imported. Both look at windows of
2,000 reviews and have 20,000 unchanged ones as their reference, as their guides advise.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

WINDOW = 2_000
REFERENCE = 20_000
QUIET = 100_000


def frame(arrays: dict[str, np.ndarray], rows: np.ndarray, names: list[str]) -> pd.DataFrame:
    """Return reviews as a table, in the order in which they came."""
    table = pd.DataFrame(
        {f"p_{name}": arrays["probabilities"][rows, i] for i, name in enumerate(names)}
    )
    table["predicted"] = np.array(names)[arrays["best"][rows]]
    table["truth"] = np.array(names)[arrays["truth"][rows]]
    table["confidence"] = arrays["confidence"][rows]
    table["published"] = arrays["published"][rows]
    table["at"] = np.arange(len(rows))
    return table


def nannyml_alarms(reference: pd.DataFrame, stream: pd.DataFrame, names: list[str]) -> list[int]:
    """Return the ends of windows in which the estimated accuracy leaves its usual range."""
    import nannyml  # noqa: PLC0415 - the other peer's environment lacks it

    def published(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["published"]].reset_index(drop=True)

    reference, stream = published(reference), published(stream)
    classes = sorted(set(reference["truth"]) | set(reference["predicted"]))
    stream = stream[stream["predicted"].isin(classes)].reset_index(drop=True)
    reference = reference[reference["truth"].isin(classes)].reset_index(drop=True)
    estimator = nannyml.CBPE(
        problem_type="classification_multiclass",
        y_pred_proba={name: f"p_{name}" for name in classes},
        y_pred="predicted",
        y_true="truth",
        metrics=["accuracy"],
        chunk_size=WINDOW,
    )
    estimator.fit(reference)
    found = estimator.estimate(stream.drop(columns=["truth"])).filter(period="analysis").to_df()
    ends = found[("chunk", "end_index")].to_numpy()
    alerts = found[("accuracy", "alert")].to_numpy(dtype=bool)
    return [int(stream["at"][min(end, len(stream) - 1)]) for end in ends[alerts]]


def evidently_alarms(reference: pd.DataFrame, stream: pd.DataFrame, names: list[str]) -> list[int]:
    """Return the ends of windows in which the predictions or their confidence have drifted."""
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415 - likewise
    from evidently.presets import DataDriftPreset  # noqa: PLC0415

    columns = ["predicted", "confidence"]
    definition = DataDefinition(categorical_columns=["predicted"], numerical_columns=["confidence"])
    known = Dataset.from_pandas(reference[columns], data_definition=definition)
    alarms = []
    for start in range(0, len(stream) - WINDOW + 1, WINDOW):
        part = stream.iloc[start : start + WINDOW][columns].reset_index(drop=True)
        current = Dataset.from_pandas(part, data_definition=definition)
        result = json.loads(Report([DataDriftPreset()]).run(current, known).json())
        counts = [m["value"]["count"] for m in result["metrics"] if "Count" in m["metric_name"]]
        if counts and counts[0] > 0:
            alarms.append(start + WINDOW)
    return alarms


def main() -> None:
    """Print one line of JSON a stream."""
    warnings.filterwarnings("ignore")
    # Neither is to tell its makers of our figures.
    os.environ |= {"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1"}
    peer, folder = sys.argv[1], Path(sys.argv[2])
    alarms_of = {"nannyml": nannyml_alarms, "evidently": evidently_alarms}[peer]
    told = json.loads((folder / "changing_streams.json").read_text())
    names, before = told["categories"], told["before"]
    for line in told["streams"]:
        arrays = dict(np.load(folder / f"{line['stream'].replace(' ', '-')}.npz"))
        chance = np.random.default_rng(5)
        reference = frame(arrays, chance.choice(before, REFERENCE), names)
        quiet = frame(arrays, chance.choice(before, QUIET), names)
        changed = frame(arrays, np.arange(len(arrays["best"])), names)
        found = {"stream": line["stream"], "peer": peer}
        try:
            false = alarms_of(reference, quiet, names)
            alarms = alarms_of(reference, changed, names)
            after = [end - before for end in alarms if end > before]
            found |= {"false_windows_in_100000": len(false), "reviews": min(after, default=None)}
        except Exception as error:  # noqa: BLE001 - a peer that fails on a stream is a result
            found["failed"] = f"{type(error).__name__}: {error}"[:200]
        sys.stdout.write(f"{json.dumps(found)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
