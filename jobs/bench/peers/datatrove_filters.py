"""datatrove's filters over JSON lines: datatrove_filters.py en|zh INPUT_FOLDER OUTPUT_FOLDER TASKS WORKERS

en: Gopher's repetition and quality rules and C4's, with datatrove's defaults. zh: the three filters of FineWeb2 with its
values for cmn_Hani (FineWeb2 has no C4 rules). Dropped documents are written, too, as ours are.
"""

import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

from datatrove.executor import LocalPipelineExecutor  # noqa: E402
from datatrove.pipeline.filters import (  # noqa: E402
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.readers import JsonlReader  # noqa: E402
from datatrove.pipeline.writers import JsonlWriter  # noqa: E402


def english(dropped):
    return [
        GopherRepetitionFilter(exclusion_writer=dropped("repetition")),
        GopherQualityFilter(exclusion_writer=dropped("quality")),
        C4QualityFilter(exclusion_writer=dropped("c4")),
    ]


def chinese(dropped):
    language = "cmn_Hani"
    return [
        GopherRepetitionFilter(
            language=language,
            dup_para_frac=0,
            dup_line_char_frac=0,
            dup_para_char_frac=0,
            dup_line_frac=0.287,
            top_n_grams=((2, 0.256), (3, 0.201), (4, 0.171)),
            dup_n_grams=((5, 0.198), (6, 0.182), (7, 0.167), (8, 0.154), (9, 0.14), (10, 0.127)),
            exclusion_writer=dropped("repetition"),
        ),
        FineWebQualityFilter(
            language=language,
            short_line_thr=999,
            char_duplicates_ratio=0.1,
            line_punct_thr=0.106,
            new_line_ratio=0.178,
            exclusion_writer=dropped("fineweb"),
        ),
        GopherQualityFilter(
            language=language,
            min_avg_word_length=1,
            max_avg_word_length=5,
            max_non_alpha_words_ratio=0.735,
            min_stop_words=2,
            stop_words=list("的年在月是和日了於为為有被人中他與後也而由"),
            exclusion_writer=dropped("quality"),
        ),
    ]


def main(language, source, output, tasks, workers):
    def dropped(name):
        return JsonlWriter(f"{output}/dropped/{name}", compression=None)

    filters = {"en": english, "zh": chinese}[language](dropped)
    LocalPipelineExecutor(
        pipeline=[JsonlReader(source), *filters, JsonlWriter(f"{output}/kept", compression=None)],
        tasks=int(tasks),
        workers=int(workers),
        logging_dir=f"{output}/logs",
        start_method="fork",
    ).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
