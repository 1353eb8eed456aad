"""What a container may use: read from files as the kernel writes them."""

import os

import pytest

from stream.containers import Limits, limits

NONE_V1 = str(2**63 - 4096)


def files(root, contents):
    for name, text in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return limits(root)


def test_version_2_bounds_by_the_narrowest_group_above_us(tmp_path):
    found = files(
        tmp_path,
        {
            "proc/self/cgroup": "0::/pods/one",
            "sys/fs/cgroup/pods/cpu.max": "150000 100000",
            "sys/fs/cgroup/pods/one/cpu.max": "max 100000",
            "sys/fs/cgroup/pods/one/memory.max": "536870912",
            "sys/fs/cgroup/pods/memory.max": "max",
        },
    )
    assert (found.quota, found.memory) == (1.5, 512 * 1024**2)


def test_version_2_in_a_container_of_its_own_namespace(tmp_path):
    found = files(tmp_path, {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "100000 100000"})
    assert (found.quota, found.cores) == (1.0, 1)


def test_version_1_with_the_hosts_path_which_is_not_there(tmp_path):
    found = files(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824",
        },
    )
    assert (found.quota, found.cores, found.memory) == (0.5, 1, 1024**3)


@pytest.mark.parametrize(
    "contents",
    [
        {},
        {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000"},
        {
            "proc/self/cgroup": "1:cpu:/\n4:memory:/",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": NONE_V1,
        },
        {"proc/self/cgroup": "nonsense", "sys/fs/cgroup/cpu.max": "1 0"},
    ],
    ids=["no files", "version 2", "version 1", "nonsense"],
)
def test_no_limit_is_none(tmp_path, contents):
    found = files(tmp_path, contents)
    assert (found.quota, found.memory) == (None, None)
    assert found.cores == len(os.sched_getaffinity(0))


def test_one_cpu_of_a_node_of_64_is_one_call_and_one_and_a_half_are_two():
    assert Limits(64, 1.0, None).cores == 1
    assert Limits(64, 1.5, None).cores == 2
    assert Limits(2, 8.0, None).cores == 2


def test_it_is_said_in_words():
    assert Limits(64, 1.5, 512 * 1024**2).described() == (
        "64 cores, a quota of 1.5, 512 MiB of memory at most"
    )


def test_a_group_whose_name_is_no_text_bounds_like_any_other(tmp_path):
    name = os.fsdecode(b"pod-\xff")
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_bytes(b"0::/pod-\xff\n")
    found = files(tmp_path, {f"sys/fs/cgroup/{name}/cpu.max": "50000 100000"})
    assert found.quota == 0.5
