"""What reviewers with hostile eyes found, each as a test that stays."""
