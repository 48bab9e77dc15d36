# STUB until generated
ARGUMENT_SPEC = {"create_only": {"type": "bool", "default": False}}
