"""Measures of drawings and of talking drawings: torchmetrics classes beside their functional forms."""
