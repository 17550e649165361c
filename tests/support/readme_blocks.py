#!/usr/bin/env python3
"""readme_blocks.py README FOLDER: takes the fenced blocks of a document apart, so that a test can run them.

A block's info string says what it is: `sh` is run, in the document's order; `LANGUAGE file: NAME` is written to FOLDER/NAME before that;
`sh by-test: WHY` is run by something else that is named. Any other block of sh is an error: an example that nobody runs gets stale.
Files go to FOLDER, the commands, one a line, to standard output.
"""
import pathlib
import re
import sys

FENCE = re.compile(r"^```(\w+)[ ]*([^\n]*)\n(.*?)^```$", re.M | re.S)


def main(document, folder):
    for language, note, body in FENCE.findall(pathlib.Path(document).read_text()):
        if note.startswith("file: "):
            pathlib.Path(folder, note.removeprefix("file: ")).write_text(body)
        elif language == "sh" and not note:
            sys.stdout.write(body)
        elif not (language == "sh" and note.startswith("by-test: ")):
            sys.exit(f"{document}: a block of '{language} {note}' is neither run nor a file: say which")


if __name__ == "__main__":
    main(*sys.argv[1:])
