"""The ids that a deduplication removed, as a JSON list: dedup_removed.py OUTPUT, ours or that of datatrove_minhash.py."""

import json
import sys
from pathlib import Path

import pyarrow.parquet


def main(output):
    output = Path(output)
    manifest = output / "manifest.json"
    if manifest.exists():
        files = [f["path"] for f in json.loads(manifest.read_text())["files"] if f["path"].startswith("dropped/")]
        ids = [i for f in files for i in pyarrow.parquet.ParquetFile(output / f).read(columns=["id"])["id"].to_pylist()]
    else:
        ids = [json.loads(line)["id"] for f in (output / "removed").glob("*.jsonl") for line in open(f)]
    print(json.dumps(ids))


if __name__ == "__main__":
    main(sys.argv[1])
