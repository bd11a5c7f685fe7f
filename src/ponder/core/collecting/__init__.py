"""Tests of a program: read, collected as their framework would, and refused if none asserts."""
