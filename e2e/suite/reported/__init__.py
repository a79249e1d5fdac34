"""What users of workflow engines and agents report in public, as tests on a real cluster: each
input once stopped a run silently, lost something, or said something that is not true.
"""
