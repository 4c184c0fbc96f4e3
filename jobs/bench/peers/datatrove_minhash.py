"""datatrove's four MinHash stages over JSON lines: datatrove_minhash.py en|zh INPUT_FOLDER OUTPUT_FOLDER TASKS WORKERS

Its defaults: 14 buckets of 8 hashes, 5-grams of its word tokenizer's words, 64-bit hashes.
"""

import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

from datatrove.executor import LocalPipelineExecutor  # noqa: E402
from datatrove.pipeline.dedup import (  # noqa: E402
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.minhash import MinhashConfig  # noqa: E402
from datatrove.pipeline.readers import JsonlReader  # noqa: E402
from datatrove.pipeline.writers import JsonlWriter  # noqa: E402
from datatrove.utils.hashing import HashConfig  # noqa: E402

BUCKETS = 14


def main(language, source, output, tasks, workers):
    config = MinhashConfig(hash_config=HashConfig(precision=64), n_grams=5, num_buckets=BUCKETS, hashes_per_bucket=8)
    words = {"en": "eng", "zh": "cmn_Hani"}[language]
    reader = JsonlReader(source)
    dropped = JsonlWriter(f"{output}/removed", compression=None)
    stages = {
        "signatures": ([reader, MinhashDedupSignature(f"{output}/signatures", config=config, language=words)], int(tasks)),
        "buckets": ([MinhashDedupBuckets(f"{output}/signatures", f"{output}/buckets", config=config)], BUCKETS),
        "cluster": ([MinhashDedupCluster(f"{output}/buckets", f"{output}/remove", config=config)], 1),
        "filter": (
            [reader, MinhashDedupFilter(f"{output}/remove", exclusion_writer=dropped), JsonlWriter(f"{output}/kept", compression=None)],
            int(tasks),
        ),
    }
    for name, (pipeline, count) in stages.items():
        LocalPipelineExecutor(
            pipeline=pipeline,
            tasks=count,
            workers=min(count, int(workers)),
            logging_dir=f"{output}/logs/{name}",
            start_method="fork",
        ).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
