"""What the evaluations of several services write with: Markdown tables and plots. No service needs it to run."""
