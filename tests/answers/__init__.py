"""Answers that learners write to the exercises, right ones and wrong ones, a file for each lab.

RIGHT: for each exercise, answers in different styles. WRONG: plausible wrong ones, each with a pattern of the
sentence that it must get. GIVEN: what a check needs besides.
"""
