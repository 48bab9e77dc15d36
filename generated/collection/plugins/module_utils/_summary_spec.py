# STUB until generated
ARGUMENT_SPEC = {"register": {"type": "str", "required": True}}
