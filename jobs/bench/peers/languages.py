"""languages.py LIBRARY FILE: the language of each line of a file as zh, en or other, one a line."""

import sys


def lingua():
    from lingua import Language, LanguageDetectorBuilder

    detector = LanguageDetectorBuilder.from_all_languages().build()
    kept = {Language.CHINESE: "zh", Language.ENGLISH: "en"}
    return lambda line: kept.get(detector.detect_language_of(line), "other")


def py3langid():
    import py3langid

    return lambda line: language if (language := py3langid.classify(line)[0]) in ("zh", "en") else "other"


if __name__ == "__main__":
    detect = {"lingua": lingua, "py3langid": py3langid}[sys.argv[1]]()
    with open(sys.argv[2], encoding="utf-8") as file:
        print("\n".join(detect(line.rstrip("\n")) for line in file))
