"""Print what Slither finds, as JSON: run by Slither's own Python, with nothing of this project.

Usage: python report.py INPUT, a file with the standard JSON input of the compiler; its sources lie
under their names in the working directory. A `solc` that takes --standard-json is on PATH.
"""

import json
import re
import sys
from pathlib import Path

from crytic_compile import CryticCompile
from crytic_compile.platform.solc_standard_json import SolcStandardJson
from slither import Slither
from slither.__main__ import get_detectors_and_printers


def main() -> None:
    """Run all detectors; a finding is its check, its impact and its text without line numbers."""
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    slither = Slither(CryticCompile(SolcStandardJson(request)))
    for detector in get_detectors_and_printers()[0]:
        slither.register_detector(detector)
    found = [one for results in slither.run_detectors() for one in results or ()]
    findings = {
        (one["check"], one["impact"], re.sub(r"#\d+(-\d+)?", "", one["description"]).strip())
        for one in found
    }
    json.dump(sorted(findings), sys.stdout)


if __name__ == "__main__":
    main()
