"""Policies: a distribution for each decision, from which programs are drawn and which learns from them."""
