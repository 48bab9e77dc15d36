# STUB until generated
class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  root:
    description: [Directory that holds one tree per image.]
    type: path
    default: /var/lib/nspawn-runner
    env:
      - name: NSPAWN_RUNNER_ROOT
    ini:
      - section: nspawn_runner
        key: root
  playbook_dirs:
    description: [Directories that are searched for playbooks.]
    type: list
    elements: str
    env:
      - name: NSPAWN_RUNNER_PLAYBOOK_DIRS
    ini:
      - section: nspawn_runner
        key: playbook_dirs
"""
