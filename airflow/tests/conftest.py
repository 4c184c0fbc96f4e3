"""An Airflow of its own for the tests: a new AIRFLOW_HOME with a SQLite database, gone when they end."""

import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(tempfile.mkdtemp(prefix="caravan-airflow-"))
atexit.register(shutil.rmtree, HOME)
# The finally blocks that end what a test started run on a polite kill too.
signal.signal(signal.SIGTERM, lambda *_: pytest.exit("stopped by SIGTERM", returncode=143))

# Before anything imports Airflow: it reads these once.
os.environ.update(
    AIRFLOW_HOME=str(HOME),
    AIRFLOW__CORE__DAGS_FOLDER=str(ROOT / "airflow/dags"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False",
)


@pytest.fixture(scope="session")
def dag():
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(ROOT / "airflow/dags"))
    assert bag.import_errors == {}
    assert list(bag.dags) == ["caravan"]
    return bag.dags["caravan"]
