"""The dashboard as code: what stands on it, how W&B and the terminal show it, and how evaluations get there."""
