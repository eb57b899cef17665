#!/usr/bin/env python3
"""Makes a text file part of a C++ program: usage: embed_text.py FILE HEADER VARIABLE OUTPUT."""

import sys

file, header, variable, output = sys.argv[1:]
with open(file, encoding="utf-8") as text:
    # A line per literal: compilers limit the length of one, not of what they are joined to.
    lines = [f'    R"text({line})text"\n' for line in text]
with open(output, "w", encoding="utf-8") as source:
    source.write(f'#include "{header}"\n\nnamespace coldread::cli {{\n\n'
                 f"const std::string_view {variable} =\n{''.join(lines)}    ;\n\n}}\n")
