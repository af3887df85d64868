"""Measurements that compare side by side in one run and write their figures."""
