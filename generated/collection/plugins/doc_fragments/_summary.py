# STUB until generated
class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
"""
