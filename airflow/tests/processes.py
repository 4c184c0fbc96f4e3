"""Running a program so that nothing of it is left, and its failure can be read."""

import os
import signal
import subprocess
from pathlib import Path

SHOWN_LINES = 60


def run(command: list[str], log: Path, env: dict[str, str], seconds: int) -> tuple[int, str]:
    """Exit status and output, which goes to `log` as it comes. Past `seconds` the program is ended, the test fails."""
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=env, start_new_session=True)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not done after {seconds} s: {' '.join(command)}\n{tail(log.read_text())}") from None
        finally:
            end_group(process)
    return process.returncode, log.read_text()


def end_group(process: subprocess.Popen) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def tail(output: str) -> str:
    """The end of the output without Airflow's own bookkeeping: Spark's lines and tracebacks."""
    lines = [line for line in output.splitlines() if " loc=" not in line or "SparkSubmitHook]" in line]
    return "\n".join(lines[-SHOWN_LINES:])
