"""datatrove's DocumentTokenizer over JSON lines: datatrove_tokenize.py INPUT_FOLDER OUTPUT_FOLDER TOKENIZER_JSON TASKS WORKERS"""

import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

from datatrove.executor import LocalPipelineExecutor  # noqa: E402
from datatrove.pipeline.readers import JsonlReader  # noqa: E402
from datatrove.pipeline.tokens import DocumentTokenizer  # noqa: E402


def main(source, output, tokenizer, tasks, workers):
    LocalPipelineExecutor(
        pipeline=[
            JsonlReader(source),
            DocumentTokenizer(
                output_folder=f"{output}/tokens",
                tokenizer_name_or_path=tokenizer,
                eos_token="</s>",
                shuffle_documents=True,
                save_filename="shard",
            ),
        ],
        tasks=int(tasks),
        workers=int(workers),
        logging_dir=f"{output}/logs",
        start_method="fork",
    ).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
