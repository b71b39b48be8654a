"""The doctor: `doctor` says what is wrong and how to mend it."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from service import doctor as examination
from service.commands.console import out
from service.doctor import Finding
from service.logs import set_up_logs
from service.process import utc_now
from service.settings import SETTINGS, find_config, read_settings

app = typer.Typer()


@app.command()
def doctor(
    *, as_json: Annotated[bool, typer.Option("--json", help="For a machine to read.")] = False
) -> None:
    """Say what is wrong with the installation and how to mend it; ends with 1 if anything is."""
    settings = read_settings()
    set_up_logs("error", human=True)
    findings = list(examination.examine(settings, config=find_config(), now=utc_now()))
    well = all(finding.well for finding in findings)
    if as_json:
        print(json.dumps({"well": well, "findings": [asdict(finding) for finding in findings]}))
    else:
        _print(findings)
    if not well:
        raise typer.Exit(1)


def _print(findings: Sequence[Finding]) -> None:
    for finding in findings:
        out.print(f"{'ok   ' if finding.well else 'WRONG'}  {finding.what}", highlight=False)
        if not finding.well:
            out.print(f"       → {finding.mend}", highlight=False)
    out.print("\nSettings (environment or config file, prefix POSTBAG_):")
    width = max(len(setting.name) for setting in SETTINGS)
    for setting in SETTINGS:
        out.print(f"  {setting.name:<{width}} {setting.help}", highlight=False)
