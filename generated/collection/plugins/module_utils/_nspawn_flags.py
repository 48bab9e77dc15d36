# STUB until generated
# Arguments of every call; {name} is the image, {machine} a unique name.
FLAGS = (
    "--register=no", "--keep-unit", "--settings=no", "--quiet", "--console=pipe", "--as-pid2", "--link-journal=no",
    "--timezone=off", "--resolv-conf=off", "--machine={machine}", "--hostname={name}", "--drop-capability=CAP_MKNOD",
    "--setenv=SYSTEMD_OFFLINE=1",
)
# Environment of every call.
ENVIRONMENT = {"SYSTEMD_NSPAWN_TMPFS_TMP": "0"}
# Flags of an image's own variables, in order; see the fields' names in src/model/nspawn-flags.ts.
VARIABLE_FLAGS = (
    {"variable": "nspawn_runner_binds", "flag": "--bind-ro={value}", "environment": False, "when": None, "pattern": "^(.+):ro$"},
    {"variable": "nspawn_runner_binds", "flag": "--bind={value}", "environment": False, "when": None, "pattern": "^(.+)$"},
    {"variable": "nspawn_runner_environment", "flag": "--setenv={value}", "environment": False, "when": None, "pattern": None},
    {"variable": "nspawn_runner_network", "flag": "--private-network", "environment": False, "when": "none", "pattern": None},
    {"variable": "nspawn_runner_seccomp", "flag": "SYSTEMD_SECCOMP=0", "environment": True, "when": False, "pattern": None},
    {"variable": "nspawn_runner_capabilities", "flag": "--capability={value}", "environment": False, "when": None, "pattern": None},
)
