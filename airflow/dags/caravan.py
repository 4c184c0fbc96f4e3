"""The road from raw text to a promoted model, as one Airflow DAG of spark-submits. See DOC below for how to run it."""

from __future__ import annotations

import json
import logging
import os
import uuid
from datetime import timedelta
from pathlib import Path

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import ObjectStoragePath, Param, dag, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

DOC = """\
### Raw text → continued pretraining → SFT → evaluation → gate → promotion

| Task | Command | Reads | Writes under `work` |
|---|---|---|---|
| `prepare` | `prepare` | `input`, the base checkpoint's tokenizer | `clean/ dedup/ tokens/` |
| `pretrain` | `pretrain` | `tokens/`, `base_checkpoint` | `pretrain/` |
| `sft` | `sft` | `sft_input`, `pretrain/` | `sft/` |
| `evaluate_base` | `evaluate` | `base_checkpoint` | `evaluate-base/` |
| `evaluate` | `evaluate` | `sft/`, `evaluate-base/` as the baseline | `evaluate/`, `gate.json` in it |
| `gate` | | `evaluate/gate.json` | |
| `promote` or `refuse` | | `evaluate/gate.json` | `promote` alone: `promoted/promoted.json` |

**Trigger it** with the parameters below; what they do not say (sizes, rates, thresholds) is in the four configuration
files. Paths are absolute, or URLs such as `s3a://`, and mean the same on the Airflow worker and on Spark's machines.

**A refusal is not a failure.** The run ends green with `refuse` run and `promote` skipped; the log and the return value
of `refuse` say why, and `promoted.json` stays what it was. A task that breaks makes the run red.

**Retries are safe.** A command skips what is already valid in `work` and training resumes from its last checkpoint, so a
retried or cleared task goes on where it stopped. Exit status 2 (bad input or configuration) fails at once: a retry cannot
help. For a run from scratch give a new `work`.
"""

# The clone that this file is in, for the defaults of the parameters; CARAVAN_ROOT names it where the DAG was copied out of it.
ROOT = Path(os.environ.get("CARAVAN_ROOT") or Path(__file__).resolve().parent / "../..").resolve()

log = logging.getLogger(__name__)


def place(description: str, **default) -> Param:
    """A parameter that is a path: absolute, since an Airflow worker and Spark's machines have no directory in common."""
    return Param(type="string", pattern="^(/|[a-z0-9]+://).+", description=description, **default)


PARAMS = {
    "input": place("Raw corpus to go on training on: a path or a glob."),
    "sft_input": place("Chat or instruction data: a path or a glob."),
    "base_checkpoint": place("Checkpoint to start from."),
    "tokenizer": place("The base checkpoint's tokenizer.model."),
    "work": place("Directory of this run's outputs; the same directory again goes on where it stopped."),
    "promoted": place("Directory of promoted.json, which names the checkpoint that last passed the gate."),
    "prepare_config": place("Settings of prepare."),
    "pretrain_config": place("Settings of pretrain."),
    "sft_config": place("Settings of sft."),
    "evaluate_config": place("Settings of both evaluations, with the gate's thresholds."),
    "jar": place("Caravan's jar.", default=f"{ROOT}/jobs/target/caravan.jar"),
    "spark_properties": place("Properties file of spark-submit.", default=f"{ROOT}/conf/spark/local.conf"),
    "spark_connection": Param(
        "spark_default", type="string", minLength=1, description="Airflow connection that names Spark's master."
    ),
}


class CaravanJob(SparkSubmitOperator):
    """One Caravan command by spark-submit. The run's parameters name the connection; bad input is not tried again."""

    BAD_INPUT = 2  # exit status of the command line

    template_fields = (*SparkSubmitOperator.template_fields, "_conn_id")

    def __init__(self, *, command: str, settings: dict[str, str], config: str, **kwargs):
        super().__init__(
            application="{{ params.jar }}",
            java_class="caravan.jobs.Caravan",
            application_args=[command, "--config", config, *(f"{key}={value}" for key, value in settings.items())],
            properties_file="{{ params.spark_properties }}",
            conn_id="{{ params.spark_connection }}",
            name="caravan {{ task.task_id }} {{ run_id }}",
            **kwargs,
        )

    def execute(self, context):
        try:
            super().execute(context)
        except AirflowException as failure:
            if self._hook._submit_sp.returncode == self.BAD_INPUT:
                raise AirflowFailException(str(failure)) from None
            raise


def read_gate(work: str) -> dict:
    """What the evaluation decided, as it wrote it."""
    file = ObjectStoragePath(work) / "evaluate" / "gate.json"
    gate = json.loads(file.read_text())
    if gate.get("decision") not in ("promote", "refuse"):
        raise AirflowFailException(
            f"{file}: decision is {gate.get('decision')!r}, wanted 'promote' or 'refuse'; clear the task evaluate to write it again"
        )
    return gate


def write_whole(file: ObjectStoragePath, content: str) -> None:
    """Replaces a file so that its readers see the old or the new content, never a part."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.parent / f".{file.name}.{uuid.uuid4().hex}"
    part.write_text(content)
    part.rename(file)


@dag(
    dag_id="caravan",
    description="Raw text, continued pretraining, SFT, evaluation, and promotion if the gate passes",
    doc_md=DOC,
    schedule=None,
    catchup=False,
    # Two runs may be given the same directories, and promoted.json has one writer.
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1), "retry_exponential_backoff": True},
    params=PARAMS,
    tags=["caravan", "spark", "llama"],
)
def caravan():
    prepare = CaravanJob(
        task_id="prepare",
        command="prepare",
        config="{{ params.prepare_config }}",
        settings={"input": "{{ params.input }}", "tokenizer": "{{ params.tokenizer }}", "output": "{{ params.work }}"},
    )
    pretrain = CaravanJob(
        task_id="pretrain",
        command="pretrain",
        config="{{ params.pretrain_config }}",
        settings={
            "tokens": "{{ params.work }}/tokens",
            "checkpoint": "{{ params.base_checkpoint }}",
            "output": "{{ params.work }}/pretrain",
        },
    )
    sft = CaravanJob(
        task_id="sft",
        command="sft",
        config="{{ params.sft_config }}",
        settings={
            "input": "{{ params.sft_input }}",
            "checkpoint": "{{ params.work }}/pretrain",
            "output": "{{ params.work }}/sft",
        },
    )
    evaluate_base = CaravanJob(
        task_id="evaluate_base",
        command="evaluate",
        config="{{ params.evaluate_config }}",
        settings={
            "checkpoint": "{{ params.base_checkpoint }}",
            "tokens": "{{ params.work }}/tokens",
            "output": "{{ params.work }}/evaluate-base",
        },
    )
    evaluate = CaravanJob(
        task_id="evaluate",
        command="evaluate",
        config="{{ params.evaluate_config }}",
        settings={
            "checkpoint": "{{ params.work }}/sft",
            "tokens": "{{ params.work }}/tokens",
            "gate.baseline": "{{ params.work }}/evaluate-base/eval.json",
            "output": "{{ params.work }}/evaluate",
        },
    )

    @task.branch
    def gate(params):
        return read_gate(params["work"])["decision"]

    @task
    def promote(params, run_id):
        decision = read_gate(params["work"])
        # The branch came here on a "promote"; a task cleared by hand in a refused run comes here without one.
        if decision["decision"] != "promote":
            raise AirflowFailException(f"the gate refused {params['work']}/sft: {'; '.join(decision['reasons'])}")
        promoted = {"checkpoint": f"{params['work']}/sft", "run": run_id, "gate": decision}
        write_whole(ObjectStoragePath(params["promoted"]) / "promoted.json", json.dumps(promoted, indent=2, ensure_ascii=False))
        return promoted

    @task
    def refuse(params):
        reasons = read_gate(params["work"])["reasons"]
        log.warning("not promoted: %s/sft: %s", params["work"], "; ".join(reasons))
        return reasons

    prepare >> pretrain >> sft >> evaluate
    prepare >> evaluate_base >> evaluate
    evaluate >> gate() >> [promote(), refuse()]


caravan()
