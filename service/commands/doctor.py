"""The doctor: `doctor` says what is wrong and how to mend it."""

import typer

from service import doctor as examination
from service.commands.console import out
from service.logs import set_up_logs
from service.settings import SETTINGS, read_settings

app = typer.Typer()


@app.command()
def doctor() -> None:
    """Say what is wrong with the configuration and how to mend it."""
    settings = read_settings()
    set_up_logs("error", human=True)
    well = True
    for finding in examination.examine(settings):
        well = well and finding.well
        out.print(f"{'ok   ' if finding.well else 'WRONG'}  {finding.what}", highlight=False)
        if not finding.well:
            out.print(f"       → {finding.mend}", highlight=False)
    out.print("\nSettings (environment, prefix POSTBAG_):")
    for setting in SETTINGS:
        out.print(f"  {setting.name:<16} {setting.help}", highlight=False)
    if not well:
        raise typer.Exit(1)
