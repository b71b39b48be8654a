"""The command line: everything an operator types."""

import sys

import typer

from service.commands import (
    articles,
    database,
    demonstration,
    doctor,
    examples,
    installation,
    keys,
    people,
    rules,
    scores,
    servers,
    sites,
    webhooks,
)
from service.errors import MisconfiguredError, ServiceError

app = typer.Typer(
    help="Postbag: comment moderation and insight for publishers, on your own machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for commands in (
    installation,
    servers,
    demonstration,
    database,
    articles,
    scores,
    examples,
    doctor,
):
    app.add_typer(commands.app)
app.add_typer(sites.app, name="site")
app.add_typer(rules.app, name="rules")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(keys.app, name="key")
app.add_typer(people.app, name="person")


def main() -> None:
    """Run a command; what an operator can mend is said in a sentence."""
    try:
        app()
    except (MisconfiguredError, ServiceError) as error:
        print(f"postbag: {error}", file=sys.stderr)
        for wrong in getattr(error, "errors", ()):
            print(f"  {wrong.pointer}: {wrong.detail}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
