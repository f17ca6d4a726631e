"""What a study will compute, how long that takes and how much memory, before it runs."""
