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

# Where this file's clone is: the defaults of the parameters, when the DAG is run from one.
HOME = Path(os.environ.get("CARAVAN_HOME", Path(__file__).resolve().parents[2]))
