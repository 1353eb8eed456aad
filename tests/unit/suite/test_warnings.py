"""A warning of what our own lines do is a failure."""

import warnings

import pytest


@pytest.mark.parametrize("kind", [DeprecationWarning, RuntimeWarning, UserWarning])
def test_a_warning_of_ours_is_an_error(kind):
    with pytest.raises(kind):
        warnings.warn("of ours", kind, stacklevel=1)


def test_a_warning_inside_of_a_library_is_shown():
    with warnings.catch_warnings(record=True) as shown:
        warnings.warn_explicit("of theirs", DeprecationWarning, "theirs.py", 1, module="theirs")
    assert len(shown) == 1
