"""Draws one SVG and ends: `python -m reports_pipeline.documents.svg_drawing WIDTH HEIGHT`.

The SVG is on standard input, the PNG goes to standard output. A deeply nested picture crashes the
drawing library, and one of masks within masks takes hours and gigabytes, so this is a process of
its own, which limits itself. Exit code 2, and why on standard error: it is not a picture; 3, or a
signal: it could not be drawn.
"""

from __future__ import annotations

import contextlib
import resource
import sys
from importlib.resources import as_file, files

import resvg_py

_MOST_BYTES = 1024**3
_MOST_SECONDS = 10
# All of a family's names lead to the only fonts that are the same on every machine.
_FAMILY = "Noto Sans JP"


def main() -> None:
    # Some systems, macOS for one, limit no address space.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_SECONDS, _MOST_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    width, height = map(int, sys.argv[1:])
    text = sys.stdin.buffer.read().decode()
    with as_file(files(__package__).joinpath("fonts")) as fonts:
        try:
            png = resvg_py.svg_to_bytes(
                svg_string=text,
                width=width,
                height=height,
                skip_system_fonts=True,
                font_dirs=[str(fonts)],
                font_family=_FAMILY,
                serif_family=_FAMILY,
                sans_serif_family=_FAMILY,
                cursive_family=_FAMILY,
                fantasy_family=_FAMILY,
                monospace_family=_FAMILY,
            )
        except ValueError as error:
            sys.stderr.write(str(error))
            sys.exit(2)
        except BaseException:  # a panic of the library is no Exception
            sys.exit(3)
    sys.stdout.buffer.write(png)


if __name__ == "__main__":
    main()
