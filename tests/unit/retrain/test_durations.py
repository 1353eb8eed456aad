"""A retraining says beforehand how long it will take, by the newest run of its family."""

from training.retrain.durations import expected_seconds, keep_duration


def test_the_newest_run_of_the_family_tells_in_proportion_to_its_texts(tmp_path):
    for name, family, rows, seconds in [
        ("a", "tiny", 1000, 900.0),
        ("b", "tiny", 1000, 100.0),
        ("c", "static", 1000, 5.0),
    ]:
        (tmp_path / name).mkdir()
        keep_duration(tmp_path / name, family, rows, seconds)
    (tmp_path / "c" / "broken").mkdir()
    good = (tmp_path / "b" / "run.json").read_text(encoding="utf-8")
    for name, content in [
        ("half", good.encode()[:20]),
        ("foreign", b"\xff\xfe"),
        ("no zone", good.replace("Z", "").replace("+00:00", "").encode()),
        ("endless", good.replace("100.0", "1e999").encode()),
    ]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_bytes(content)
    seconds, run = expected_seconds(tmp_path, "tiny", 3000)
    assert (seconds, run.seconds) == (300.0, 100.0)
    assert expected_seconds(tmp_path, "base", 3000) is None
