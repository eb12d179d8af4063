"""What benchmarks measure alike: where a plan puts entries, and pages that say what was found."""
