# STUB until generated
ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "root": {"type": "path", "default": "/var/lib/nspawn-runner"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "recreate": {"type": "bool", "default": False},
    "suite": {"type": "str"},
    "bootstrap": {"type": "str", "choices": ["mmdebstrap", "debootstrap", "command", "tarball"]},
    "command": {"type": "list", "elements": "str"},
    "tarball": {"type": "path"},
    "checksum": {"type": "str"},
    "mirror": {"type": "str"},
    "components": {"type": "list", "elements": "str", "default": ["main"]},
    "architecture": {"type": "str"},
    "variant": {"type": "str", "choices": ["minbase", "buildd"], "default": "minbase"},
    "packages": {"type": "list", "elements": "str", "default": []},
    "keyring": {"type": "path"},
}
