"""Faults of the workers themselves: kills, freezes, scaling, clocks, models, poison."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaProducer

from schemas import ModelAnnouncement, encode
from stream.model.folder import MANIFEST, file_digest, verify
from tests.faults.experiment import SESSION_SECONDS, Experiment, Injector
from tests.faults.fleet import Member
from tests.support.tiny_model import write_tiny_model

# A trap may sit in a member that has no partition just now; it is then tried in another. On a machine
# that is busy with much else a member may come to nothing for so long.
_TRAP_SECONDS: Final = 20.0
_TRAP_ROUNDS: Final = 3


def kill_at(*phases: str) -> Injector:
    """Kill -9 a worker the moment it reaches one of these phases."""

    async def inject(run: Experiment) -> str:
        phase = run.random.choice(run.happening(phases))
        member = await _trap(run, phase, "kill")
        await member.gone()
        return f"kill -9 at {phase}"

    return inject


async def kill_anywhere(run: Experiment) -> str:
    """Kill -9 a worker whatever it is doing."""
    member = run.random.choice(run.fleet.members)
    await asyncio.sleep(run.random.uniform(0, 0.5))
    await member.kill()
    return "kill -9"


async def kill_while_opening(run: Experiment) -> str:
    """Kill -9 a worker that takes partitions over, in the midst of it."""
    phase = run.random.choice(("sent:INIT_PRODUCER_ID", "answered:INIT_PRODUCER_ID"))
    # The first: of four partitions the third worker gets one, and there may never be a second.
    trap = f'{{"phase":"{phase}","after":1,"deed":"kill"}}'
    member = await run.fleet.start(FAULTS_TRAP=trap)
    member.expected_to_die = True
    await member.gone()
    return f"kill -9 at {phase} of a newcomer"


async def failing_inference(run: Experiment) -> str:
    """Let the model raise once, for a reason that passes."""
    await _trap(run, "inferring", "raise")
    return "inference raised once"


def zombie(*phases: str) -> Injector:
    """Freeze a worker in a phase until the group has given it up, then let it go on."""

    async def inject(run: Experiment) -> str:
        phase = run.random.choice(run.happening(phases))
        member = await _trap(run, phase, "stop")
        await member.frozen()
        asleep = SESSION_SECONDS + run.random.uniform(1, 4)
        await asyncio.sleep(asleep)
        member.signal(signal.SIGCONT)
        return f"SIGSTOP at {phase} for {asleep:.1f} s"

    return inject


def scale_to(*counts: int) -> Injector:
    """Change the number of workers under load, gracefully."""

    async def inject(run: Experiment) -> str:
        for count in counts:
            await run.fleet.scale(count)
            await run.load.more(run.load.rate // 2)
        return f"{run.scenario.workers} workers, then {', '.join(map(str, counts))}"

    return inject


async def rolling_restart(run: Experiment) -> str:
    """SIGTERM a worker; it drains and is replaced."""
    member = run.random.choice(run.fleet.members)
    seconds = await member.stop()
    return f"SIGTERM, drained in {seconds:.1f} s"


async def clock_jump(run: Experiment) -> str:
    """Move a worker's wall clock by up to a day, either way."""
    member = run.random.choice(run.fleet.members)
    seconds = run.random.choice((-1, 1)) * run.random.uniform(60, 24 * 3600)
    await member.tell(jump=seconds)
    return f"clock {seconds:+.0f} s"


async def broken_model(run: Experiment) -> str:
    """Announce a model folder whose files are damaged: it is refused, the old one serves on."""
    folder = run.folder / f"broken-{run.random.randrange(10**6)}"
    write_tiny_model(folder, name=folder.name)
    announcement = _announcement(folder)
    victim = run.random.choice(("model.onnx", "tokenizer.json", MANIFEST))
    (folder / victim).write_bytes((folder / victim).read_bytes()[:-100])
    await _announce(run, announcement)
    return f"a model with a damaged {victim}"


async def vanished_model(run: Experiment) -> str:
    """Announce a model folder that is not there."""
    folder = run.folder / f"vanished-{run.random.randrange(10**6)}"
    write_tiny_model(folder, name=folder.name)
    announcement = _announcement(folder)
    shutil.rmtree(folder)
    await _announce(run, announcement)
    return "a model whose folder is gone"


async def swapped_model(run: Experiment) -> str:
    """Announce a good model: it takes over between two batches."""
    folder = run.folder / f"good-{run.random.randrange(10**6)}"
    write_tiny_model(folder, name=folder.name, sure_logit=run.random.uniform(7, 9))
    await _announce(run, _announcement(folder))
    return "a good model"


async def poison(run: Experiment) -> str:
    """Let some of the poison pills in the mix arrive."""
    await run.load.more(run.load.rate)
    return "poison pills among the reviews"


def _announcement(folder: Path) -> ModelAnnouncement:
    return ModelAnnouncement(
        version=verify(folder).version,
        location=str(folder.resolve()),
        manifest_digest=file_digest(folder / MANIFEST),
    )


async def _announce(run: Experiment, announcement: ModelAnnouncement) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=run.arena.direct)
    await producer.start()
    try:
        topic = run.topics.models
        await producer.send_and_wait(topic, encode(announcement), key=b"serving")
    finally:
        await producer.stop()
    await run.load.more(run.load.rate)  # it is loaded beside the traffic


async def _trap(run: Experiment, phase: str, deed: str) -> Member:
    """Arm a trap in one member after the other until it snaps."""
    members: list[Member] = run.random.sample(run.fleet.members, len(run.fleet.members))
    for member in members * _TRAP_ROUNDS:
        member.expected_to_die = deed == "kill"
        await member.tell(trap=phase, after=run.random.randint(1, 5), do=deed)
        with contextlib.suppress(TimeoutError):
            await member.heard("trapped", _TRAP_SECONDS)
            return member
        # It may snap before the member hears that it is taken away: nobody would wake that one again.
        await member.tell(disarm=True)
        if await member.heard_first("trapped", "disarmed") == "trapped":
            return member
        member.expected_to_die = False
    raise TimeoutError(f"no worker reached {phase}")
