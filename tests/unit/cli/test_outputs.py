"""What somebody made before is not written over by accident."""

import os

import pytest

from stream.cli.outputs import require_new_file, require_own_folder
from stream.errors import InputError


def test_a_file_that_holds_something_is_not_written_over(tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_text("a day's work")
    with pytest.raises(InputError, match="is there already") as refused:
        require_new_file(path, force=False)
    assert "--force" in refused.value.remedy
    require_new_file(path, force=True)


def test_what_is_no_loss_may_be_written_to(tmp_path):
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "new", tmp_path / "empty", tmp_path / "pipe", tmp_path):
        require_new_file(path, force=False)


@pytest.mark.parametrize(
    ("files", "allowed"),
    [
        ({}, True),
        ({"summary.md": "# Labelling summary\n", "index.html": ""}, True),
        ({"index.html": "my page"}, False),
        ({"summary.md": "# My summary"}, False),
    ],
)
def test_a_folder_is_written_to_if_it_is_empty_or_of_the_same_command(files, allowed, tmp_path):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    require_own_folder(tmp_path / "absent", "summary.md", "# Labelling summary", force=False)
    require_own_folder(tmp_path, "summary.md", "# Labelling summary", force=True)
    if allowed:
        require_own_folder(tmp_path, "summary.md", "# Labelling summary", force=False)
    else:
        with pytest.raises(InputError, match="holds no report"):
            require_own_folder(tmp_path, "summary.md", "# Labelling summary", force=False)
