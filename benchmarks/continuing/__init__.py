"""Training that goes on after surgery: two tasks, the arms that go on, and what came of them."""
