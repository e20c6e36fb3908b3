"""What the tests share: a daemon of their own, editors, and the readers of the other tools."""
