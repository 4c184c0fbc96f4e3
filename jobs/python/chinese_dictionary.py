"""Writes pipeline/src/main/resources/caravan/pipeline/text/traditional.tsv from OpenCC's dictionaries (Apache License 2.0).

Run in an environment with OpenCC==1.4.2:  python chinese_dictionary.py OUTPUT
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import opencc

CLIB = Path(opencc.__file__).parent / "clib"
HEADER = """\
# Traditional to simplified Chinese, from OpenCC 1.4.2 (https://github.com/BYVoid/OpenCC, Apache License 2.0), by jobs/python/chinese_dictionary.py.
# t: words and characters (TSPhrases, TSCharacters; first candidate). w: Taiwan's vocabulary (TWPhrasesRev, TWVariantsRevPhrases, TWVariantsRev), turned into
# simplified characters. TSCharactersExt is left out: its simplified forms are beyond most fonts and vocabularies. s: characters that only simplified text has (STCharacters without those that stand for themselves too).
"""


def dictionary(name):
    """source -> candidates, best first."""
    tool = CLIB / "bin" / "opencc_dict"
    tool.chmod(0o755)
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "dictionary.txt"
        command = [tool, "-i", CLIB / "share" / "opencc" / f"{name}.ocd2", "-o", text, "-f", "ocd2", "-t", "text"]
        subprocess.run(command, check=True, capture_output=True)
        lines = text.read_text("utf-8").splitlines()
    return {source: targets.split(" ") for source, targets in (line.split("\t") for line in lines if line)}


def convert(text, entries):
    """Longest match from the left."""
    longest = max(map(len, entries))
    out = []
    at = 0
    while at < len(text):
        size = next((n for n in range(longest, 0, -1) if text[at : at + n] in entries), 0)
        out.append(entries[text[at : at + size]] if size else text[at])
        at += size or 1
    return "".join(out)


def main(output):
    words = dictionary("TSPhrases")
    characters = dictionary("TSCharacters")
    simplify = {source: targets[0] for source, targets in {**characters, **words}.items()}
    taiwan = {}
    for name in ("TWVariantsRev", "TWVariantsRevPhrases", "TWPhrasesRev"):
        taiwan.update({source: convert(targets[0], simplify) for source, targets in dictionary(name).items()})
    del taiwan["么"]  # also Taiwan's short form of 麼
    simplified = [source for source, targets in dictionary("STCharacters").items() if source not in targets]
    with open(output, "w", encoding="utf-8") as file:
        file.write(HEADER)
        for kind, entries in (("t", simplify), ("w", taiwan)):
            for source in sorted(entries):
                file.write(f"{kind}\t{source}\t{entries[source]}\n")
        file.write("s\t" + "".join(sorted(simplified)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
