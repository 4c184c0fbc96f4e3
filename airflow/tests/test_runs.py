"""Runs of the DAG by Airflow itself: real spark-submits of the packaged jar on a small corpus.

One base model is trained; one run goes on from it and is refused; the same run with another gate is promoted.
"""

import json
import os
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT
from processes import run, tail

CONF = ROOT / "airflow/tests/conf"
CORPUS = ROOT / "airflow/tests/corpus"
JAR = ROOT / "jobs/target/caravan.jar"
LIMIT_SECONDS = 1200

JOBS = ("prepare", "evaluate_base", "pretrain", "sft", "evaluate")
JOBS_DONE = dict.fromkeys((*JOBS, "gate"), "success")


class Airflow:
    """The `airflow` command on its own database, with a Spark connection to two cores of this machine."""

    def __init__(self, logs: Path):
        self.logs = logs
        self.env = os.environ | {
            "PATH": f"{os.environ['SPARK_HOME']}/bin:{os.environ['PATH']}",
            "AIRFLOW_CONN_TWO_CORES": json.dumps(
                {"conn_type": "spark", "host": "local[2]", "extra": {"spark-binary": "spark-submit"}}
            ),
        }
        self("db", "migrate")

    def __call__(self, *arguments: str, succeeds: bool = True) -> str:
        command = [str(Path(sys.executable).with_name("airflow")), *arguments]
        status, output = run(command, self.logs / f"{time.time_ns()}.log", self.env, LIMIT_SECONDS)
        assert (status == 0) == succeeds, f"exit status {status}: {' '.join(command)}\n{tail(output)}"
        return output

    def dag_run(self, date: str, params: dict, succeeds: bool = True) -> tuple[dict[str, str], str]:
        """One run of the DAG: the state in which each task ended, and the output."""
        output = self("dags", "test", "caravan", date, "--conf", json.dumps(params), succeeds=succeeds)
        states = json.loads(self("tasks", "states-for-dag-run", "caravan", date, "--output", "json").splitlines()[-1])
        return {task["task_id"]: task["state"] for task in states}, output


def spark_submit(logs: Path, *arguments: str) -> None:
    command = [
        f"{os.environ['SPARK_HOME']}/bin/spark-submit",
        *("--master", "local[2]", "--properties-file", f"{ROOT}/conf/spark/local.conf"),
        *("--class", "caravan.jobs.Caravan", str(JAR), *arguments),
    ]
    status, output = run(command, logs / f"{time.time_ns()}.log", dict(os.environ), LIMIT_SECONDS)
    assert status == 0, f"exit status {status}: {' '.join(command)}\n{tail(output)}"


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    assert JAR.exists(), f"{JAR} is missing: ./mvnw -DskipTests package makes it"
    return tmp_path_factory.mktemp("caravan")


@pytest.fixture(scope="module")
def base(work):
    """Directory of a model that has seen one corpus: `tokenizer/` and `pretrain/`."""
    home = work / "base"
    spark_submit(work, "prepare", "--config", f"{CONF}/prepare.conf", f"input={CORPUS}/road.jsonl", f"output={home}")
    spark_submit(
        work, "pretrain", "--config", f"{CONF}/pretrain.conf", f"tokens={home}/tokens", f"output={home}/pretrain"
    )
    return home


@pytest.fixture(scope="module")
def airflow(work):
    return Airflow(work)


@pytest.fixture(scope="module")
def given(work, base):
    """Parameters of a run that goes on from the base with another corpus."""
    evaluate = work / "evaluate.conf"
    evaluate.write_text(f'tasks = [perplexity, choice]\nitems = "{CORPUS}/held_out.csv"\n')
    return {
        "input": f"{CORPUS}/river.jsonl",
        "sft_input": f"{CORPUS}/dialogues.csv",
        "base_checkpoint": f"{base}/pretrain",
        "tokenizer": f"{base}/tokenizer",
        "work": f"{work}/run",
        "promoted": f"{work}/promoted",
        "prepare_config": f"{CONF}/prepare.conf",
        "pretrain_config": f"{CONF}/pretrain.conf",
        "sft_config": f"{CONF}/sft.conf",
        "evaluate_config": str(evaluate),
        "gate_config": f"{CONF}/gate-refuses.conf",
        "jar": str(JAR),
        "spark_properties": f"{ROOT}/conf/spark/local.conf",
        "spark_connection": "two_cores",
    }


@pytest.fixture(scope="module")
def refused(airflow, given):
    return airflow.dag_run("2026-01-01", given)


def commits(work: Path) -> dict[str, int]:
    """When each output was made: its manifest, written last, and each model's weights."""
    files = [*work.rglob("manifest.json"), *work.rglob("*.safetensors")]
    return {str(file.relative_to(work)): file.stat().st_mtime_ns for file in files}


def evaluation(given: dict, name: str) -> dict:
    return json.loads(Path(given["work"], name, "eval.json").read_text())["tasks"]


def test_a_run_that_the_gate_refuses_ends_well_and_promotes_nothing(refused, given):
    states, output = refused
    assert states == JOBS_DONE | {"promote": "skipped", "refuse": "success"}
    assert "not promoted: " in output
    assert "perplexity.token_accuracy: got " in output
    assert not Path(given["promoted"]).exists()


def test_continued_pretraining_learned_the_new_corpus(refused, given):
    before, after = (evaluation(given, name)["perplexity"]["loss"] for name in ("evaluate-base", "evaluate"))
    assert after < before - 0.1


def test_the_same_run_with_another_gate_promotes_and_does_nothing_twice(refused, airflow, given):
    work = Path(given["work"])
    made = commits(work)
    outputs = ("clean", "dedup", "tokens", "sft/sequences", "evaluate-base", "evaluate")
    assert {f"{output}/manifest.json" for output in outputs} <= made.keys()

    states, _ = airflow.dag_run("2026-01-02", given | {"gate_config": f"{CONF}/gate-passes.conf"})

    assert states == JOBS_DONE | {"promote": "success", "refuse": "skipped"}
    assert commits(work) == made
    promoted = json.loads(Path(given["promoted"], "promoted.json").read_text())
    assert Path(promoted["checkpoint"]).parent == work / "sft/checkpoints"
    assert Path(promoted["checkpoint"], "model.safetensors").exists()
    assert promoted["evaluation"] == evaluation(given, "evaluate")
    assert [check["passed"] for check in promoted["checks"]] == [True]


def test_bad_configuration_stops_the_run_without_a_retry(airflow, given, tmp_path):
    config = tmp_path / "prepare.conf"
    config.write_text("tokenise.validation-fraction = 0.25\n")
    states, output = airflow.dag_run("2026-01-03", given | {"prepare_config": str(config)}, succeeds=False)
    assert output.count("Spark-Submit cmd:") == 1
    assert states == {"prepare": "failed"} | dict.fromkeys((*JOBS[1:], "gate", "promote", "refuse"), "upstream_failed")
    assert "Error code is: 2." in output
    assert f"tokenise.validation-fraction in {config}: unknown key" in output
