"""Estimates: what an expression builds and reads, from the sizes of the real data, before it runs.

Imports the trees and values of `waypost.expressions`.
"""
