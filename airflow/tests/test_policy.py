"""What the DAG promises, read from the DAG itself: no database, no Spark."""

import copy
import json
from datetime import timedelta

import pytest
from airflow.sdk.exceptions import AirflowFailException, ParamValidationError

GIVEN = {
    "input": "s3a://corpus/raw/*.jsonl",
    "sft_input": "/data/chat.jsonl",
    "base_checkpoint": "/models/base",
    "tokenizer": "/models/tokenizer/tokenizer.model",
    "work": "/runs/7",
    "promoted": "/models/promoted",
    "prepare_config": "/conf/prepare.conf",
    "pretrain_config": "/conf/pretrain.conf",
    "sft_config": "/conf/sft.conf",
    "evaluate_config": "/conf/evaluate.conf",
    "gate_config": "/conf/gate.conf",
}
JOBS = ["prepare", "evaluate_base", "pretrain", "sft", "evaluate"]


def resolved(dag, given):
    """The parameters of a run that is triggered with the given ones, checked as Airflow checks them."""
    params = copy.deepcopy(dag.params)
    params.update(given)
    return params.validate()


def rendered(dag, task_id, **changes):
    task = copy.copy(dag.get_task(task_id))
    task.render_template_fields({"params": resolved(dag, GIVEN | changes), "task": task, "run_id": "run-1"})
    return task


def test_tasks_run_in_the_documented_order(dag):
    edges = {(task.task_id, following) for task in dag.tasks for following in task.downstream_task_ids}
    assert edges == {
        ("prepare", "pretrain"),
        ("pretrain", "sft"),
        ("sft", "evaluate"),
        ("prepare", "evaluate_base"),
        ("evaluate_base", "evaluate"),
        ("evaluate", "gate"),
        ("gate", "promote"),
        ("gate", "refuse"),
    }


def test_every_task_is_retried_after_a_pause(dag):
    for task in dag.tasks:
        assert (task.retries, task.retry_delay) == (2, timedelta(minutes=1)), task.task_id


def test_runs_start_by_hand_and_one_at_a_time(dag):
    assert dag.schedule is None
    assert dag.max_active_runs == 1
    assert dag.tags == {"caravan", "spark", "llama"}


def test_the_documentation_names_every_task_and_every_parameter_is_described(dag):
    for task in dag.tasks:
        assert f"`{task.task_id}`" in dag.doc_md
    for name in dag.params:
        assert dag.params.get_param(name).description, name


@pytest.mark.parametrize("missing", sorted(GIVEN))
def test_a_run_without_a_needed_parameter_is_refused(dag, missing):
    with pytest.raises(ParamValidationError, match=f"Invalid input for param {missing}: No value passed"):
        resolved(dag, {name: value for name, value in GIVEN.items() if name != missing})


@pytest.mark.parametrize("wrong", ["", "runs/7", "../runs", 7, None, ["/runs/7"]])
def test_a_path_that_is_not_absolute_is_refused(dag, wrong):
    with pytest.raises(ParamValidationError, match="Invalid input for param work"):
        resolved(dag, GIVEN | {"work": wrong})


def test_jobs_are_spark_submits_of_the_given_jar_and_connection(dag):
    for task_id in JOBS:
        task = rendered(
            dag, task_id, jar="/jars/caravan.jar", spark_properties="/spark/yarn.conf", spark_connection="yarn"
        )
        assert task.application == "/jars/caravan.jar"
        assert task._java_class == "caravan.jobs.Caravan"
        assert task.properties_file == "/spark/yarn.conf"
        assert task._conn_id == "yarn"
        assert task.name == f"caravan {task_id} run-1"


@pytest.mark.parametrize(
    ("task_id", "arguments"),
    [
        (
            "prepare",
            "prepare --config /conf/prepare.conf input=s3a://corpus/raw/*.jsonl"
            " tokenizer=/models/tokenizer/tokenizer.model output=/runs/7",
        ),
        (
            "pretrain",
            "pretrain --config /conf/pretrain.conf tokens=/runs/7/tokens checkpoint=/models/base"
            " output=/runs/7/pretrain",
        ),
        ("sft", "sft --config /conf/sft.conf input=/data/chat.jsonl checkpoint=/runs/7/pretrain output=/runs/7/sft"),
        (
            "evaluate_base",
            "evaluate --config /conf/evaluate.conf checkpoint=/models/base tokens=/runs/7/tokens"
            " output=/runs/7/evaluate-base",
        ),
        (
            "evaluate",
            "evaluate --config /conf/evaluate.conf --config /conf/gate.conf"
            " checkpoint=/runs/7/sft tokens=/runs/7/tokens gate.baseline=/runs/7/evaluate-base/eval.json"
            " output=/runs/7/evaluate",
        ),
    ],
)
def test_a_job_runs_its_command_on_the_run_s_own_paths(dag, task_id, arguments):
    assert rendered(dag, task_id).application_args == arguments.split()


PASSED = {"metric": "choice.acc", "got": 0.5, "wanted": "at least 0.3", "passed": True}
FAILED = {"metric": "perplexity.loss", "got": 5.1, "wanted": "at most 4.5", "passed": False}


def evaluated(work, decision):
    """A run's outputs as the tasks after the evaluation find them, and its parameters."""
    failed = [] if decision == "pass" else [FAILED]
    files = {
        "evaluate/gate.json": json.dumps({"decision": decision, "reasons": failed, "checks": [PASSED, *failed]}),
        "evaluate/eval.json": json.dumps({"model": "0a1b", "tasks": {"choice": {"acc": 0.5}}}),
        "sft/checkpoints/latest": "step-00000040",
    }
    for name, content in files.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(content)
    return {"work": str(work), "promoted": str(work / "promoted")}


def call(dag, task_id, **context):
    return dag.get_task(task_id).python_callable(**context)


@pytest.mark.parametrize(("decision", "following"), [("pass", "promote"), ("refuse", "refuse")])
def test_the_gate_goes_where_the_evaluation_decided(dag, tmp_path, decision, following):
    assert call(dag, "gate", params=evaluated(tmp_path, decision)) == following


def test_a_decision_that_nobody_knows_stops_the_run(dag, tmp_path):
    with pytest.raises(AirflowFailException, match="gate.json: decision is 'maybe', wanted 'pass' or 'refuse'"):
        call(dag, "gate", params=evaluated(tmp_path, "maybe"))


def test_a_refusal_says_which_checks_failed(dag, tmp_path):
    assert call(dag, "refuse", params=evaluated(tmp_path, "refuse")) == "perplexity.loss: got 5.1, wanted at most 4.5"


def test_promoting_by_hand_what_the_gate_refused_writes_nothing(dag, tmp_path):
    with pytest.raises(
        AirflowFailException, match="the gate refused .*/sft: perplexity.loss: got 5.1, wanted at most 4.5"
    ):
        call(dag, "promote", params=evaluated(tmp_path, "refuse"), run_id="run-1")
    assert not (tmp_path / "promoted").exists()


def test_a_promotion_replaces_the_last_one_and_leaves_nothing_else(dag, tmp_path):
    params = evaluated(tmp_path, "pass")
    for run_id in ("run-1", "run-2"):
        call(dag, "promote", params=params, run_id=run_id)
    assert [file.name for file in (tmp_path / "promoted").iterdir()] == ["promoted.json"]
    assert json.loads((tmp_path / "promoted/promoted.json").read_text()) == {
        "checkpoint": f"{tmp_path}/sft/checkpoints/step-00000040",
        "model": "0a1b",
        "run": "run-2",
        "evaluation": {"choice": {"acc": 0.5}},
        "checks": [PASSED],
    }


def test_the_best_checkpoint_is_promoted_where_there_is_one(dag, tmp_path):
    params = evaluated(tmp_path, "pass")
    (tmp_path / "sft/checkpoints/best").write_text("step-00000020\n")
    assert call(dag, "promote", params=params, run_id="run-1")["checkpoint"].endswith("/sft/checkpoints/step-00000020")
