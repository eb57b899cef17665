#!/usr/bin/env python3
"""What real kernels answered, as rules: learn_rules.py RECORDINGS SCENARIOS OUTPUT.

For each recorded kernel and each kind of call: which errnos came, and whether it ever succeeded. Of
poll, which sets of events; of prepare_read, which sources. The output is a C++ header with a table.
Recordings name steps, so the scenarios tell which command or file a call was about. A recording
that breaks the rules about messages that tests/fuzz/kernel_rules.cpp checks is an error: then the
rules are wrong, not the model.
"""

import collections
import errno
import json
import pathlib
import re
import sys

# What the steps that stand for several calls are made of, by the number behind '#'.
BIND = {1: "open", 2: "dir", 3: "tag", 4: "bind"}
ON_FILES = {"read_message", "pwrite", "write", "lseek", "close", "poll", "ioctl", "dup", "fsync",
            "ftruncate", "fallocate", "mmap", "fcntl", "pread"}
EVENTS = {"in": 1, "out": 4, "err": 8, "hup": 16, "nval": 32}


def resolve(scenario, pointer):
    """The step that a record names, and which of its calls it was."""
    pointer, _, part = pointer.partition("#")
    step = scenario
    for word in pointer.split("/")[1:]:
        if isinstance(step, dict) and "steps" in step and word.isdigit():
            step = step["steps"]
        step = step[int(word)] if isinstance(step, list) else step[word]
    return step, int(part or 0)


def key_of(record, step, part):
    """The kind of call."""
    do = record["do"]
    if do == "command":
        text = step.get("text", "")
        if step.get("do") == "bind":
            text = BIND.get(part, "")
        if "text_hex" in step:
            text = bytes.fromhex(step["text_hex"]).decode("latin-1")
        return "command:" + re.split("[ \t\n\v\f\r\xa0]", text)[0]
    if do in ON_FILES:
        return do + ("@device" if step.get("fd", "dev").startswith("dev") else "@file")
    return do


def check_messages(transcript, name):
    """Ids come once each unless the daemon asks to start over; sizes are those of the format."""
    for records in transcript["tasks"].values():
        ids = [record["message"]["id"] for record in records if record.get("message")]
        if len(ids) != len(set(ids)):
            sys.exit(f"{name}: an id was delivered twice: {ids}")
        for message in (record["message"] for record in records if record.get("message")):
            if message["op"] == "READ" and (message["len"] != 32 or message["length"] == 0):
                sys.exit(f"{name}: {message}")
            if message["op"] == "CLOSE" and message["len"] != 16:
                sys.exit(f"{name}: {message}")


def learn(rules, scenario, transcript):
    for records in transcript["tasks"].values():
        for record in records:
            step, part = resolve(scenario, record["step"])
            rule = rules[key_of(record, step, part)]
            if "errno" in record:
                rule.add(getattr(errno, record["errno"]))
            elif record["do"] == "poll" and "events" in record:
                rule.add(-sum(EVENTS[event] for event in record["events"]))
            elif record["do"] == "prepare_read" and "source" in record:
                rules["source:" + record["source"]].add(0)
                rule.add(0)
            elif "ret" in record:
                rule.add(0)


def main(recordings, scenarios, output):
    lines = []
    for kernel in sorted(path for path in pathlib.Path(recordings).iterdir() if path.is_dir()):
        rules = collections.defaultdict(set)
        for path in sorted(kernel.glob("*.jsonl")):
            for line in path.read_text().splitlines():
                recording = json.loads(line)
                name = pathlib.Path(scenarios) / path.stem / (recording["scenario"] + ".json")
                if not name.is_file():
                    continue
                text = name.read_text()
                scenario = json.loads(text)
                for transcript in recording["seen"]:
                    learn(rules, scenario, transcript)
                    if "restore" not in text and text.count('"bind') == 1:
                        check_messages(transcript, recording["scenario"])
        for key in sorted(rules):
            if re.fullmatch("[a-zA-Z_@:]+", key):
                numbers = ", ".join(str(number) for number in sorted(rules[key]))
                lines.append(f'    {{"{kernel.name}", "{key}", {len(rules[key])}, {{{numbers}}}}},')
    pathlib.Path(output).write_text(
        "// Made by learn_rules.py.\n"
        "constexpr LearnedRule kLearnedRules[] = {\n" + "\n".join(lines) +
        "\n};\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
