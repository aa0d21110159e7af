"""What came out of trainings: pages, downloads, and trainings side by side."""
