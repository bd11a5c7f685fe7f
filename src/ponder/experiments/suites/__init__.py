"""The benchmark suites: one small file each, by name in ``registry``."""
