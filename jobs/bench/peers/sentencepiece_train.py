"""sentencepiece_train.py FILES MODEL SETTINGS [BYTES]: sentencepiece's own trainer on text files, a line a document.

Settings are JSON, as `SentencePieceTrainer.train` names them. With BYTES the process may have no more memory of its own.
"""

import json
import resource
import sys

import sentencepiece

files, model, settings, *limit = sys.argv[1:]
if limit:
    resource.setrlimit(resource.RLIMIT_DATA, (int(limit[0]), int(limit[0])))
sentencepiece.SentencePieceTrainer.train(input=files.split(","), model_prefix=model, minloglevel=1, **json.loads(settings))
