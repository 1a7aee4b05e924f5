"""What every test of the workspace has: a real MongoDB, and a watch over what is asked of it."""

pytest_plugins = ("tests.mongodb", "tests.command_listener", "tests.serving")
