"""Data: one LightningDataModule a file; preparation of photos, drawings and film."""
