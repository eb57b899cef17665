"""The scenario in the README is one: usage: readme_example.py COLDREAD README.

Writes the first fenced JSON block to a temporary file and replays it; the exit code is coldread's.
"""

import pathlib
import re
import subprocess
import sys
import tempfile


def main() -> int:
    coldread, readme = sys.argv[1:]
    blocks = re.findall(r"^```json\n(.*?)^```", pathlib.Path(readme).read_text(), re.S | re.M)
    if not blocks:
        print("the README shows no scenario")
        return 1
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "readme.json"
        path.write_text(blocks[0])
        return subprocess.run([coldread, "run", str(path)], check=False).returncode


sys.exit(main())
