"""Selections: how programs are taken from a trained supernet, one file each."""
