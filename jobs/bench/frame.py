"""What every benchmark shares: programs run in turn, with the time, CPU and memory that each took, and the result's form."""

import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = Path("/proc")


@dataclass(frozen=True)
class Cost:
    """What one run took.

    wall       seconds
    cpu        CPU-seconds of the program and all that it started and waited for
    memory     largest proportional set size of all its processes together, bytes, sampled every half second
    """

    wall: float
    cpu: float
    memory: int


def venv(requirements):
    """The folder of the virtual environment with a requirements file's packages; made on first use."""
    done = subprocess.run([ROOT / "jobs/venv", ROOT / requirements], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"bench: no environment for {requirements}; jobs/venv ended with status {done.returncode}")
    return Path(done.stdout.strip())


def run(command, log, watch=None, **environment):
    """Runs a program to its end and returns its cost; its output goes to a file. What watch makes of its process is stopped then."""
    with open(log, "w") as out:
        started = time.monotonic()
        process = subprocess.Popen([str(part) for part in command], stdout=out, stderr=out, env={**os.environ, **environment})
        memory = MemoryOf(process.pid)
        watcher = watch(process.pid) if watch else None
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    peak = memory.stop()
    if watcher:
        watcher.stop()
    if process.returncode != 0:
        tail = "".join(open(log).readlines()[-15:])
        sys.exit(f"bench: {' '.join(map(str, command))}\nended with status {process.returncode}; the end of {log}:\n{tail}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, peak)


class MemoryOf(threading.Thread):
    """Watches the memory of a process and its descendants."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        self.peak = 0
        self.ended = threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.5):
            self.peak = max(self.peak, sum(map(proportional_set, descendants(self.pid))))

    def stop(self):
        self.ended.set()
        self.join()
        return self.peak


class Collector(threading.Thread):
    """Has a JVM collect all its garbage again and again, so that its log of collections tells what is live."""

    def __init__(self, pid, log, seconds=2):
        super().__init__(daemon=True)
        self.pid, self.log, self.seconds = pid, log, seconds
        self.ended = threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(self.seconds):
            if self.log.exists():  # from here on it is a JVM
                subprocess.run(["jcmd", str(self.pid), "GC.run"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self.ended.set()
        self.join()


def live_heap(log):
    """Bytes that were live after each full collection, in the order of a log that -Xlog:gc wrote."""
    lines = log.read_text().splitlines()
    full = [re.search(r"Pause Full .* \d+M->(\d+)M\(", line) for line in lines]
    return [int(match[1]) << 20 for match in full if match]


def descendants(pid):
    children = {}
    for stat in PAGES.glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue  # it has ended since
        parent = int(text.rpartition(")")[2].split()[1])
        children.setdefault(parent, []).append(int(stat.parent.name))
    found, at = [pid], 0
    while at < len(found):
        found += children.get(found[at], [])
        at += 1
    return found


def proportional_set(pid):
    try:
        for line in (PAGES / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # it has ended since
    return 0


def median(costs):
    return Cost(*(statistics.median(getattr(cost, field) for cost in costs) for field in ("wall", "cpu", "memory")))


def table(header, rows):
    widths = [max(len(str(row[i])) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        print("  ".join(str(cell).rjust(width) if i else str(cell).ljust(width) for i, (cell, width) in enumerate(zip(row, widths))))


def result(**values):
    """The last line."""
    print("RESULT " + json.dumps({key: round(value, 3) if isinstance(value, float) else value for key, value in values.items()}))
