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
| `prepare` | `prepare` | `input`, the base checkpoint's tokenizer | `clean/ dedup/ tokens/`, `decontaminate/` where the settings name items |
| `pretrain` | `pretrain` | `tokens/`, `base_checkpoint` | `pretrain/` |
| `sft` | `sft` | `sft_input`, `pretrain/` | `sft/` |
| `evaluate_base` | `evaluate` | `base_checkpoint` | `evaluate-base/` |
| `evaluate` | `evaluate` | `sft/`, `evaluate-base/` as the baseline | `evaluate/`, `gate.json` in it |
| `gate` | | `evaluate/gate.json` | |
| `promote` or `refuse` | | `evaluate/gate.json` | `promote` alone: `promoted/promoted.json` |

**Trigger it** with the parameters below; what they do not say (sizes, rates, thresholds) is in the configuration files.
Paths are absolute, or URLs such as `s3a://`, and mean the same on the Airflow worker and on Spark's machines. The Spark
connection names the master; its `spark-submit` is on the worker's PATH.

**A refusal is not a failure.** The run ends green with `refuse` run and `promote` skipped; the log and the return value
of `refuse` say why, and `promoted.json` stays what it was. A task that breaks makes the run red.

**Retries are safe.** A command skips what is already valid in `work` and training resumes from its last checkpoint, so
a retried or cleared task goes on where it stopped. Exit status 2 (bad input or configuration) fails at once: a retry
cannot help. For a run from scratch give a new `work`.

**promoted.json** holds the checkpoint's path, the SHA-256 of its shape and parameters (`model`, as in `eval.json`), the
run, the evaluation and the gate's checks. The checkpoint stays where it is: do not reuse or delete the `work` of a
promoted run.
"""

# The clone that this file is in, for the parameters' defaults; CARAVAN_ROOT names it where the DAG was copied away.
ROOT = Path(os.environ.get("CARAVAN_ROOT") or Path(__file__).resolve().parent / "../..").resolve()

log = logging.getLogger(__name__)


def place(description: str, **default) -> Param:
    """A path, absolute: an Airflow worker and Spark's machines have no current directory in common."""
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
    "evaluate_config": place("Settings of both evaluations."),
    "gate_config": place("Thresholds of the gate; gate.max-regression compares with the base checkpoint."),
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

    def __init__(self, *, command: str, configs: list[str], settings: dict[str, str], **kwargs):
        super().__init__(
            application="{{ params.jar }}",
            java_class="caravan.jobs.Caravan",
            application_args=[
                command,
                *(word for config in configs for word in ("--config", f"{{{{ params.{config} }}}}")),
                *(f"{key}={value}" for key, value in settings.items()),
            ],
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
    """What the evaluation decided, and why."""
    file = ObjectStoragePath(work) / "evaluate" / "gate.json"
    gate = json.loads(file.read_text())
    if gate.get("decision") not in ("pass", "refuse"):
        raise AirflowFailException(
            f"{file}: decision is {gate.get('decision')!r}, wanted 'pass' or 'refuse';"
            " clear the task evaluate to write it again"
        )
    return gate


def refusal(gate: dict) -> str:
    return "; ".join(f"{check['metric']}: got {check['got']}, wanted {check['wanted']}" for check in gate["reasons"])


def trained_checkpoint(output: str) -> str:
    """The checkpoint that a training's output stands for, as the commands choose it: the best, else the latest."""
    checkpoints = ObjectStoragePath(output) / "checkpoints"
    best, latest = checkpoints / "best", checkpoints / "latest"
    return str(checkpoints / (best if best.exists() else latest).read_text().strip())


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
        configs=["prepare_config"],
        settings={"input": "{{ params.input }}", "tokenizer": "{{ params.tokenizer }}", "output": "{{ params.work }}"},
    )
    pretrain = CaravanJob(
        task_id="pretrain",
        command="pretrain",
        configs=["pretrain_config"],
        settings={
            "tokens": "{{ params.work }}/tokens",
            "checkpoint": "{{ params.base_checkpoint }}",
            "output": "{{ params.work }}/pretrain",
        },
    )
    sft = CaravanJob(
        task_id="sft",
        command="sft",
        configs=["sft_config"],
        settings={
            "input": "{{ params.sft_input }}",
            "checkpoint": "{{ params.work }}/pretrain",
            "output": "{{ params.work }}/sft",
        },
    )
    evaluate_base = CaravanJob(
        task_id="evaluate_base",
        command="evaluate",
        configs=["evaluate_config"],
        settings={
            "checkpoint": "{{ params.base_checkpoint }}",
            "tokens": "{{ params.work }}/tokens",
            "output": "{{ params.work }}/evaluate-base",
        },
    )
    evaluate = CaravanJob(
        task_id="evaluate",
        command="evaluate",
        configs=["evaluate_config", "gate_config"],
        settings={
            "checkpoint": "{{ params.work }}/sft",
            "tokens": "{{ params.work }}/tokens",
            "gate.baseline": "{{ params.work }}/evaluate-base/eval.json",
            "output": "{{ params.work }}/evaluate",
        },
    )

    @task.branch
    def gate(params):
        return "promote" if read_gate(params["work"])["decision"] == "pass" else "refuse"

    @task
    def promote(params, run_id):
        gate = read_gate(params["work"])
        # The branch came here on a pass; a task cleared by hand in a refused run comes here without one.
        if gate["decision"] != "pass":
            raise AirflowFailException(f"the gate refused {params['work']}/sft: {refusal(gate)}")
        evaluation = json.loads((ObjectStoragePath(params["work"]) / "evaluate" / "eval.json").read_text())
        promoted = {
            "checkpoint": trained_checkpoint(f"{params['work']}/sft"),
            "model": evaluation["model"],
            "run": run_id,
            "evaluation": evaluation["tasks"],
            "checks": gate["checks"],
        }
        write_whole(
            ObjectStoragePath(params["promoted"]) / "promoted.json",
            json.dumps(promoted, indent=2, ensure_ascii=False) + "\n",
        )
        return promoted

    @task
    def refuse(params):
        reasons = refusal(read_gate(params["work"]))
        log.warning("not promoted: %s/sft: %s", params["work"], reasons)
        return reasons

    prepare >> pretrain >> sft >> evaluate
    prepare >> evaluate_base >> evaluate
    evaluate >> gate() >> [promote(), refuse()]


caravan()
