# STUB until generated
ROOT = "/var/lib/nspawn-runner"
STATE_DIRECTORY = ".nspawn-runner"
PLAYBOOK_DIRECTORY = "/etc/nspawn-runner"
VARIABLE_PREFIX = "nspawn_runner_"
GROUP = "nspawn_runner"
CONTAINER_FILE = "container"
LOG_FILE = "last.log"
